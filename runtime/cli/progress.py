"""A progress bar over the files of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.cli.console import console

if TYPE_CHECKING:
    from sync import Progress


@contextmanager
def run_progress() -> Iterator["Callable[[Progress], None]"]:
    """Gives the callback that a run tells its progress to. Nothing is drawn where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console(stderr=True), transient=True,
    )  # fmt: skip
    tasks: dict[tuple[str, str], int] = {}

    def tell(at: "Progress") -> None:
        key = (at.source, f"{at.file}: {at.stage.value}")
        if key not in tasks:
            tasks[key] = bars.add_task(f"{at.source} {key[1]}", total=at.total)
        bars.update(bars.task_ids[list(tasks).index(key)], completed=at.done, total=at.total)

    with bars:
        yield tell
