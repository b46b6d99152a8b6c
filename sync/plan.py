"""What to load and whether it may be published. Pure: values in, values out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from kernel import DataRefused
from replica import Mode
from sync.errors import QuarantineTooLarge, SourceShrank
from sync.sources.port import Offered
from sync.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a source stands; it is stored with each publication, in the same transaction.

    position   the last delivery's place in its chain
    loaded     name -> version and SHA-256 of the files that are still offered and were loaded: they need not be
               read to be known
    """

    position: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        if not text:
            return cls()
        data = json.loads(text)
        return cls(
            position=data["position"],
            loaded={name: (version, sha256) for name, (version, sha256) in data["loaded"].items()},
        )

    def to_text(self) -> str:
        return json.dumps({"position": self.position, "loaded": self.loaded}, sort_keys=True)

    def knows(self, offered: Offered) -> bool:
        """Whether exactly this file was loaded."""
        return offered.name in self.loaded and self.loaded[offered.name][0] == offered.version

    def after(self, file: Offered, sha256: str, position: Mapping[str, str], offered: Iterable[Offered]) -> Self:
        """The cursor once `file` is loaded; files that are offered no more are forgotten."""
        names = {each.name for each in offered}
        loaded = {name: known for name, known in self.loaded.items() if name in names}
        return type(self)(position=position, loaded=loaded | {file.name: (file.version, sha256)})


def pending(offered: Iterable[Offered], cursor: Cursor) -> tuple[Offered, ...]:
    """Files that may hold something new, in the order they are to be loaded."""
    return tuple(sorted((each for each in offered if not cursor.knows(each)), key=lambda each: each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a decoded file before it is published.

    mirrored   rows now in the mirror
    vanished   rows of the mirror that the file lacks; counted for a full load only
    """

    rows_in: int
    rows_quarantined: int
    lines_quarantined: int
    mirrored: int
    vanished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """refusal   why nothing of the file is published; None when it is
    mode      how the mirror takes the rows
    """

    mode: Mode
    refusal: DataRefused | None = None
    warnings: tuple[str, ...] = ()


def plan_load(spec: SourceSpec, facts: Facts) -> LoadPlan:
    """Decide about one file.

    Too large a quarantine refuses it, and so does a full load that would delete too much of the mirror. A full
    load with rows held back deletes nothing, since a row that is held back is not one that is gone.
    """
    quarantined = facts.rows_quarantined
    if quarantined > spec.max_quarantine_share * facts.rows_in:
        return LoadPlan(
            mode=spec.mode,
            refusal=QuarantineTooLarge(
                f"{quarantined:,} of {facts.rows_in:,} rows were held back, "
                f"more than {spec.max_quarantine_share:.0%} of them",
                remedy="have the delivery mended, or raise max_quarantine_share of the source",
            ),
        )
    if spec.mode is not Mode.FULL:
        return LoadPlan(mode=spec.mode)
    if facts.vanished > spec.max_deleted_share * facts.mirrored:
        return LoadPlan(
            mode=spec.mode,
            refusal=SourceShrank(
                f"the file lacks {facts.vanished:,} of the {facts.mirrored:,} rows of the mirror, "
                f"more than {spec.max_deleted_share:.0%} of them",
                remedy="check that the file is whole, or raise max_deleted_share of the source for one run",
            ),
        )
    if facts.lines_quarantined and facts.mirrored:
        warning = f"nothing was deleted, since {facts.lines_quarantined:,} lines were held back"
        return LoadPlan(mode=Mode.DELTA, warnings=(warning,))
    return LoadPlan(mode=Mode.FULL)
