"""How much an agreement may keep on its shelf, and what goes to make room for more.

A file counts in full on each shelf that it stands on, although its bytes lie on the disk once: what an agreement may
keep must not depend on what others fetch and tidy. What was delivered and is waited for no more makes room, the oldest
first, and so does what nobody subscribed to and has stood there for its time; what is still to be fetched never does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extract.delivery.manifest import MANIFEST, Manifest
from extract.delivery.shelf_files import read_now
from extract.errors import ShelfFull
from kernel import AgreementId

AGAIN_S: Final = 300

Waited = Callable[[AgreementId, str], bool | None]
"""Whether an agreement still waits for an extract, by its plan; None for one that no delivery of it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one agreement's shelf may hold. As made, it holds all.

    size_bytes, files   None for no limit
    keep_s              how long what was asked for by hand stays whatever comes, seconds
    """

    size_bytes: int | None = None
    files: int | None = None
    keep_s: float = 0.0


UNLIMITED: Final = Allowance()


@dataclass(frozen=True, slots=True)
class Standing:
    """A file on a shelf, by its manifest's path.

    put   when it came there, or was asked for last; seconds since 1970
    """

    described: Path
    manifest: Manifest
    put: float


def room_makers(
    there: list[Standing], coming: Manifest, allowance: Allowance, waited: Callable[[str], bool | None], now: float
) -> list[Standing]:
    """What has to go so that `coming` may come; nothing when there is room. Raises ShelfFull when too little may go."""
    most_bytes, most_files = allowance.size_bytes, allowance.files
    size = coming.size_bytes + sum(each.manifest.size_bytes for each in there)
    count = 1 + len(there)

    def over() -> bool:
        return (most_bytes is not None and size > most_bytes) or (most_files is not None and count > most_files)

    going: list[Standing] = []
    if not over():
        return going
    for each in sorted(there, key=lambda each: each.put):
        wanted = waited(each.manifest.plan)
        if wanted or (wanted is None and now - each.put < allowance.keep_s):
            continue
        going.append(each)
        size, count = size - each.manifest.size_bytes, count - 1
        if not over():
            return going
    raise ShelfFull(
        f"the agreement's shelf may hold {_words(allowance)}, and has no room for {coming.size_bytes} bytes more",
        remedy="fetch what waits there, or cancel deliveries that nobody needs; the operator may raise the limit",
        rule="extracts.shelf",
        retry_after_s=AGAIN_S,
    )


def standing_in(agreement: Path) -> Iterator[Standing]:
    """All that stands on a shelf, whatever service it is of."""
    for described in agreement.glob(f"*/[!.]*{MANIFEST}"):
        try:
            put = described.stat().st_ctime
            yield Standing(described, read_now(described), put)
        except FileNotFoundError:
            # Somebody tidied it away this moment.
            continue


def _words(allowance: Allowance) -> str:
    limits = [
        f"{most} {what}" for most, what in ((allowance.size_bytes, "bytes"), (allowance.files, "files"))
        if most is not None
    ]  # fmt: skip
    return " in ".join(limits)
