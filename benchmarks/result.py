"""The form of every benchmark's result: one object, figures flat, the unit in the name."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def machine() -> str:
    """What it was measured on."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def result(bench: str, rows: int, figures: dict[str, float], targets: dict[str, tuple[str, float]]) -> dict[str, Any]:
    """targets   figure -> ("at_most" or "at_least", bound)"""
    judged = {}
    for name, (direction, bound) in targets.items():
        met = figures[name] <= bound if direction == "at_most" else figures[name] >= bound
        judged[name] = {direction: bound, "met": met}
    rounded = {name: round(value, 3) for name, value in figures.items()}
    return {"bench": bench, "machine": machine(), "rows": rows, "figures": rounded, "targets": judged}
