"""What to load and whether it may be published. Pure: values in, values out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from kernel import DataRefused
from replica import Counts, Mode
from sync.errors import QuarantineTooLarge, SourceChanged, SourceShrank
from sync.sources.port import Offered
from sync.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a source stands; it is stored with each publication, in the same transaction.

    position   the last delivery's place in its chain, as its decoder knows it
    connector  where the connector stands
    loaded     name -> version and SHA-256 of the files that are still offered and were loaded: they need not be
               read to be known
    """

    position: Mapping[str, str] = field(default_factory=dict)
    connector: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        if not text:
            return cls()
        data = json.loads(text)
        return cls(
            position=data["position"],
            connector=data.get("connector", {}),
            loaded={name: (version, sha256) for name, (version, sha256) in data["loaded"].items()},
        )

    def to_text(self) -> str:
        told = {"position": self.position, "connector": self.connector, "loaded": self.loaded}
        return json.dumps(told, sort_keys=True)

    def knows(self, offered: Offered) -> bool:
        """Whether exactly this file was loaded."""
        return offered.name in self.loaded and self.loaded[offered.name][0] == offered.version

    def after(self, file: Offered, sha256: str, position: Mapping[str, str], offered: Iterable[Offered]) -> Self:
        """The cursor once `file` is loaded; files that are offered no more are forgotten."""
        names = {each.name for each in offered}
        loaded = {name: known for name, known in self.loaded.items() if name in names}
        return type(self)(
            position=position, connector=file.position, loaded=loaded | {file.name: (file.version, sha256)}
        )


def pending(offered: Iterable[Offered], cursor: Cursor) -> tuple[Offered, ...]:
    """Files that may hold something new, in the order they are to be loaded."""
    return tuple(sorted((each for each in offered if not cursor.knows(each)), key=lambda each: each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a decoded file before it is compared with the mirror.

    mirrored   rows now in the mirror
    """

    rows_in: int
    rows_quarantined: int
    lines_quarantined: int
    mirrored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """refusal   why nothing of the file is published; None when it is
    mode      how the mirror takes the rows
    """

    mode: Mode
    refusal: DataRefused | None = None
    warnings: tuple[str, ...] = ()


def plan_load(spec: SourceSpec, facts: Facts, *, accept: bool = False) -> LoadPlan:
    """Decide how one file meets the mirror.

    Too large a quarantine refuses it, unless an operator accepts it. A full load with rows held back deletes
    nothing, since a row that is held back is not one that is gone.
    """
    warnings = []
    if facts.rows_quarantined > spec.max_quarantine_share * facts.rows_in:
        said = (
            f"{facts.rows_quarantined:,} of {facts.rows_in:,} rows were held back, "
            f"more than {spec.max_quarantine_share:.0%} of them"
        )
        if not accept:
            remedy = "have the delivery mended, or publish the rest with --accept"
            return LoadPlan(mode=spec.mode, refusal=QuarantineTooLarge(said, remedy=remedy))
        warnings.append(f"accepted: {said}")
    mode = spec.mode
    if mode is Mode.FULL and facts.lines_quarantined and facts.mirrored:
        mode = Mode.DELTA
        warnings.append(f"nothing was deleted, since {facts.lines_quarantined:,} lines were held back")
    return LoadPlan(mode=mode, warnings=tuple(warnings))


def guard(spec: SourceSpec, counts: Counts) -> DataRefused | None:
    """Why a delivery should not be published without somebody having looked: it would delete or change too much."""
    before = counts.before
    if counts.deleted > spec.max_deleted_share * before:
        return SourceShrank(
            f"{counts.deleted:,} of the {before:,} rows of the mirror would be deleted, "
            f"more than {spec.max_deleted_share:.0%} of them",
            remedy="check that the delivery is whole; if it is right, load it with --accept",
        )
    if counts.updated > spec.max_changed_share * before:
        return SourceChanged(
            f"{counts.updated:,} of the {before:,} rows of the mirror would change, "
            f"more than {spec.max_changed_share:.0%} of them",
            remedy="check what happened at the source; if it is right, load it with --accept",
        )
    return None
