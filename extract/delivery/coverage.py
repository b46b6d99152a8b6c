"""Which bytes of a file have left: clients ask for pieces, ahead, out of order, and more than once."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

_SPANS: Final = 1_000


@dataclass(slots=True)
class Coverage:
    """spans   the bytes that have left, as [start, stop), sorted, apart from each other

    A client that leaves thousands of holes has the smallest of them counted as given: memory stays bounded, and what
    is charged is never too little.
    """

    spans: list[tuple[int, int]] = field(default_factory=list)
    rounded: bool = False

    def add(self, start: int, stop: int) -> None:
        if stop <= start:
            return
        # Nearly every piece follows on the last one, so it is looked for from the end.
        at = len(self.spans)
        while at and self.spans[at - 1][0] > stop:
            at -= 1
        while at and self.spans[at - 1][1] >= start:
            begun, ended = self.spans.pop(at - 1)
            start, stop = min(start, begun), max(stop, ended)
            at -= 1
        self.spans.insert(at, (start, stop))
        if len(self.spans) > _SPANS:
            self._round()

    @property
    def size_bytes(self) -> int:
        return sum(stop - start for start, stop in self.spans)

    def reaches(self, end: int) -> bool:
        """Whether everything from where it began up to `end` has left. A transfer that resumes begins where the one
        before it was cut.
        """
        if end == 0:
            return True
        return not self.rounded and len(self.spans) == 1 and self.spans[0][1] >= end

    def _round(self) -> None:
        self.rounded = True
        holes = [after[0] - before[1] for before, after in pairwise(self.spans)]
        at = holes.index(min(holes))
        self.spans[at : at + 2] = [(self.spans[at][0], self.spans[at + 1][1])]
