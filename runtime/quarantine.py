"""What the mirror of an instance holds back, as operators see it."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from replica import DatasetNotReady, Lake
from runtime.clock import CLOCK
from runtime.environment import settings_of
from runtime.instance import Instance
from runtime.mirroring import Mirroring


class Held(NamedTuple):
    """Lines of one file that broke one rule."""

    source: str
    file: str
    rule: str
    lines: int
    since: datetime


def held_back(root: Path) -> list[Held]:
    """Counts, oldest first."""
    counts = Counter((row["at"], row["source"], row["file"], row["rule"]) for row in _held(root, []))
    return [Held(source, file, rule, lines, at) for (at, source, file, rule), lines in sorted(counts.items())]


def held_lines(root: Path, source: str) -> list[dict[str, Any]]:
    """Held-back lines of a source, oldest first. They hold personal data. Raises SourceUnknown."""
    return _held(root, [source])


def _held(root: Path, sources: list[str]) -> list[dict[str, Any]]:
    instance = Instance.find(root)
    settings = settings_of(instance)
    mirroring = Mirroring.of(instance, settings, CLOCK)
    specs = mirroring.named(sources)
    try:
        with Lake.open(instance.lake, settings.replica, write=False) as lake:
            held = [
                row
                for spec in specs
                for row in lake.quarantined(mirroring.registers.dataset(spec.dataset)).to_pylist()
                if row["source"] == spec.name
            ]
    except DatasetNotReady:
        return []
    return held
