from datetime import UTC, datetime, timedelta
from pathlib import Path

from kernel import SystemClock
from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.mirroring import Mirroring

NOW = datetime(2031, 2, 10, 12, tzinfo=UTC)


def a_mirroring(root: Path) -> Mirroring:
    instance = found_instance(root, environment="test")
    return Mirroring.of(instance, settings_of(instance), SystemClock())


class TestDue:
    def test_is_every_source_that_was_never_looked_at(self, tmp_path: Path) -> None:
        mirroring = a_mirroring(tmp_path)
        assert mirroring.due({}, NOW) == mirroring.sources

    def test_follows_each_source_s_own_schedule(self, tmp_path: Path) -> None:
        mirroring = a_mirroring(tmp_path)
        names = {source.name for source in mirroring.sources}
        assert {"authorities", "cpr-persons", "municipalities", "roads"} <= names
        just_now = dict.fromkeys(names, NOW - timedelta(seconds=59))
        assert mirroring.due(just_now, NOW) == ()
        a_while_ago = dict.fromkeys(names, NOW - timedelta(seconds=61))
        due = {source.name for source in mirroring.due(a_while_ago, NOW)}
        assert due & {"authorities", "cpr-persons", "municipalities", "roads"} == {"cpr-persons"}
