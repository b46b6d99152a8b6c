"""The role that nobody calls: what is due."""

from runtime.beats import Beats
from runtime.delivering import Delivering
from runtime.instance import Instance
from runtime.politeness import standing_back
from runtime.processes import stop_on_signals
from runtime.scheduler import work
from runtime.settings import Settings
from runtime.wiring import open_house
from runtime.worker import Worker


def run_worker(instance: Instance, settings: Settings) -> None:
    """Run what is due, take ledger files in and keep house, until told to stop."""
    stop = stop_on_signals()
    with standing_back(idle=settings.worker.idle_time), open_house(instance, settings, "worker") as house:
        jobs = Worker(instance, settings, stop, Delivering(house, stop.is_set)).jobs()
        work(jobs, stop, Beats(instance.beats))
