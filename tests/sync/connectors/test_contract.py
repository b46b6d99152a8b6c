"""What every connector promises, also when its peer keeps no promise."""

import stat
from pathlib import Path

import pytest

from kernel import PlatformError
from sync import FileUnsettled, SourceDenied, SourceFaulty, SourceInvalid, SourceUnreachable, SourceUntrusted
from sync.sources import Connector, Offered
from tests.sync.connectors.kinds import KINDS, MAY_BE_EMPTY, WITH_FILES
from tests.sync.connectors.peer import FEW, MANY, SECRET, Peer, Rows

every_kind = pytest.mark.parametrize("kind", KINDS)
kinds_with_files = pytest.mark.parametrize("kind", WITH_FILES)

OVER_HTTP: dict[str, type[PlatformError]] = {
    "is not there": SourceUnreachable,
    "says nothing": SourceUnreachable,
    "hangs up half way": SourceUnreachable,
    "falls silent half way": SourceUnreachable,
    "drips": SourceUnreachable,
    "throttles": SourceUnreachable,
    "is down for long": SourceUnreachable,
    "has no such document": SourceUnreachable,
    "does not let us in": SourceDenied,
    "does not understand us": SourceFaulty,
    "leads to another server": SourceFaulty,
    "leads in a circle": SourceFaulty,
    "leads to nowhere": SourceFaulty,
    "packs wrongly": SourceFaulty,
    "gives more than allowed": SourceFaulty,
}
OVER_SQL: dict[str, type[PlatformError]] = {
    "is not there": SourceUnreachable,
    "says nothing": SourceUnreachable,
    "hangs up half way": SourceUnreachable,
    "falls silent half way": SourceUnreachable,
    "does not let us in": SourceDenied,
    "does not let us read": SourceDenied,
    "does not encrypt": SourceUntrusted,
    "has no such table": SourceInvalid,
    "gives more than allowed": SourceFaulty,
    "holds what cannot be read": SourceFaulty,
}
BROKEN: dict[str, dict[str, type[PlatformError]]] = {
    "folder": {"has no such folder": SourceUnreachable},
    "sftp": {
        "is not there": SourceUnreachable,
        "says nothing": SourceUnreachable,
        "hangs up half way": SourceUnreachable,
        "falls silent half way": SourceUnreachable,
        "fails half way": SourceUnreachable,
        "changes the file while it is read": FileUnsettled,
        "says that a file is longer than it is": SourceFaulty,
        "says that a file is shorter than it is": SourceFaulty,
        "has no such folder": SourceUnreachable,
        "hides the folder": SourceDenied,
        "does not let us in": SourceDenied,
        "is somebody else": SourceUntrusted,
    },
    "s3": {
        "is not there": SourceUnreachable,
        "says nothing": SourceUnreachable,
        "hangs up half way": SourceUnreachable,
        "falls silent half way": SourceUnreachable,
        "throttles": SourceUnreachable,
        "changes the file while it is read": FileUnsettled,
        "lists what cannot be read": SourceUnreachable,
        "has no such folder": SourceUnreachable,
        "does not let us in": SourceDenied,
        "does not understand us": SourceFaulty,
    },
    "sql table": OVER_SQL,
    "http document": OVER_HTTP,
    "http pages": {
        **OVER_HTTP,
        "repeats a page": SourceFaulty,
        "gives a page that is not JSON": SourceFaulty,
        "gives a page of something else": SourceFaulty,
        "leads its pages to another server": SourceFaulty,
    },
}


def loaded(peer: Peer, connector: Connector) -> list[Rows]:
    """The rows of each file offered, read as a run reads: twice."""
    found = []
    for offered in connector.offered({}):
        once, again = read(peer, connector, offered), read(peer, connector, offered)
        assert once == again
        found.append(once)
    return found


def read(peer: Peer, connector: Connector, offered: Offered) -> Rows:
    with connector.open(offered) as stream:
        return peer.rows(stream)


@every_kind
class TestEveryConnector:
    def test_gives_what_its_peer_holds_as_often_as_asked(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", MANY)
        with peer.connector(work) as connector:
            assert loaded(peer, connector) == [MANY]

    def test_tells_a_plain_name_the_time_and_a_size_before_it_reads(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", FEW)
        with peer.connector(work) as connector:
            (offered,) = connector.offered({})
            with connector.open(offered) as stream:
                assert len(stream.read()) == offered.size_bytes
        assert offered.name.isprintable()
        assert "/" not in offered.name
        assert offered.modified.tzinfo is not None
        assert all(isinstance(value, str) for pair in offered.position.items() for value in pair)

    def test_offers_the_same_version_until_the_content_is_another(self, peer: Peer, work: Path) -> None:
        def version() -> str:
            with peer.connector(work) as connector:
                (offered,) = connector.offered({})
                return offered.version

        peer.put("a.csv", FEW)
        first = version()
        assert version() == first
        peer.put("a.csv", [*FEW, ("3", "Cy")])
        assert version() != first

    def test_keeps_what_it_fetched_private_and_leaves_nothing_behind(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", MANY)
        with peer.connector(work) as connector:
            loaded(peer, connector)
            assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in work.iterdir())
        assert list(work.iterdir()) == []

    def test_leaves_nothing_behind_when_the_run_fails_over_it(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", MANY)
        with pytest.raises(ZeroDivisionError), peer.connector(work) as connector:
            _fail_over(connector)
        assert list(work.iterdir()) == []


@pytest.mark.parametrize("kind", MAY_BE_EMPTY)
def test_a_connector_offers_nothing_when_there_is_nothing(peer: Peer, work: Path) -> None:
    peer.put("a.csv", FEW)
    peer.remove("a.csv")
    with peer.connector(work) as connector:
        assert connector.offered({}) == ()


def _fail_over(connector: Connector) -> None:
    (offered,) = connector.offered({})
    with connector.open(offered):
        raise ZeroDivisionError


@kinds_with_files
class TestAConnectorOfFiles:
    def test_offers_them_by_name_without_those_that_accompany_others(self, peer: Peer, work: Path) -> None:
        for name in ("b.csv", "a.csv", ".c.csv", "d.csv.part", "a.csv.metadata", "a.csv.trigger"):
            peer.put(name, FEW)
        with peer.connector(work) as connector:
            assert [each.name for each in connector.offered({})] == ["a.csv", "b.csv"]
            assert loaded(peer, connector) == [FEW, FEW]

    def test_does_not_give_half_of_a_file_that_became_another(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", FEW)
        with peer.connector(work) as connector:
            (offered,) = connector.offered({})
            peer.put("a.csv", MANY)
            with pytest.raises(FileUnsettled):
                read(peer, connector, offered)

    def test_says_that_a_file_is_gone(self, peer: Peer, work: Path) -> None:
        peer.put("a.csv", FEW)
        with peer.connector(work) as connector:
            (offered,) = connector.offered({})
            peer.remove("a.csv")
            with pytest.raises(SourceUnreachable, match="gone"):
                read(peer, connector, offered)

    @pytest.mark.parametrize("name", ["a\x1b[2J.csv", "a\u202evsc.csv", "a\\..\\b.csv"])
    def test_refuses_a_name_that_could_do_harm(self, peer: Peer, work: Path, name: str) -> None:
        peer.put(name, FEW)
        with peer.connector(work) as connector, pytest.raises(SourceFaulty, match="name") as said:
            connector.offered({})
        assert name not in said.value.message


@pytest.mark.parametrize(("kind", "fault"), [(kind, fault) for kind, faults in BROKEN.items() for fault in faults])
def test_a_peer_that(kind: str, fault: str, peer: Peer, work: Path, caplog: pytest.LogCaptureFixture) -> None:
    """... misbehaves is told from one that does not, in words that say what to do and give no secret away."""
    peer.put("a.csv", MANY)
    peer.fault = fault
    with pytest.raises(PlatformError) as said, peer.connector(work) as connector:
        loaded(peer, connector)
    assert type(said.value) is BROKEN[kind][fault]
    assert said.value.remedy
    for text in (str(said.value), said.value.remedy, caplog.text):
        assert SECRET not in text
        assert "name 1" not in text
    assert list(work.iterdir()) == []
