"""The four time stamps of a call: in, to the source, from the source, out."""

import time

from kernel import Timing


class Stopwatch:
    """Begins when it is made. Of several sources, the first that was asked counts, and the last that answered.

    above   the stopwatch of the call that this one is a part of
    """

    __slots__ = ("_above", "_began_ns", "_from_ns", "_to_ns")

    def __init__(self, above: "Stopwatch | None" = None) -> None:
        self._began_ns = time.perf_counter_ns()
        self._to_ns = self._from_ns = 0
        self._above = above

    def leaves(self) -> None:
        """A request leaves for a source."""
        self._to_ns = self._to_ns or time.perf_counter_ns()
        if self._above is not None:
            self._above.leaves()

    def returns(self) -> None:
        """An answer is here, or there will be none."""
        self._from_ns = time.perf_counter_ns()
        if self._above is not None:
            self._above.returns()

    def timing(self) -> Timing:
        out_us = (time.perf_counter_ns() - self._began_ns) // 1_000
        if not self._from_ns:
            return Timing(out_us=out_us)
        to_us, from_us = (self._to_ns - self._began_ns) // 1_000, (self._from_ns - self._began_ns) // 1_000
        return Timing(to_source_us=to_us, from_source_us=from_us, out_us=out_us)


def server_timing(timing: Timing) -> tuple[bytes, bytes]:
    """The header Server-Timing (https://www.w3.org/TR/server-timing/), milliseconds.

    own, source          what the platform and the source took
    to-source, from-source, out   when that was, since the call came in
    """
    own, out = timing.own_us / 1_000, timing.out_us / 1_000
    if not timing.from_source_us:
        return b"server-timing", b"own;dur=%.3f, out;dur=%.3f" % (own, out)
    to, back = timing.to_source_us / 1_000, timing.from_source_us / 1_000
    told = (own, back - to, to, back, out)
    return (
        b"server-timing",
        b"own;dur=%.3f, source;dur=%.3f, to-source;dur=%.3f, from-source;dur=%.3f, out;dur=%.3f" % told,
    )
