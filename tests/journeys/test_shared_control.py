"""The control database in PostgreSQL, shared by machines: from founding to a suspension that is felt on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.instance import Instance, InstanceExists
from runtime.migrated import open_control
from runtime.settings import SettingsInvalid
from tests.journeys.platform import Platform, knudepunkt, make_stage, running
from tests.ports import free_port
from tests.sync.connectors.peer import SECRET
from tests.sync.connectors.postgres import DATABASE, READER, PostgresPeer, serve_postgres
from tests.waiting import eventually

URL = "KNUDEPUNKT_CONTROL__URL"
LOOKUP = "/v1/services/cpr-persons/lookup"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresPeer]:
    with serve_postgres() as server:
        yield server


@pytest.fixture
def address(server: PostgresPeer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of an empty database whose user needs a password; the settings name it."""
    with server.connect() as owner:
        owner.execute(f"grant create on schema public to {READER}")
    address = f"postgresql://{READER}@127.0.0.1:{server.own_port}/{DATABASE}"
    monkeypatch.setenv(URL, address)
    yield address
    server.reset()


def told_by_init(root: Path) -> str:
    done = knudepunkt("init", "--instance", str(root), instance=root, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def with_password(root: Path, password: str = SECRET) -> Path:
    (root / "secrets").mkdir(parents=True, exist_ok=True)
    (root / "secrets" / "control.password").write_text(f"{password}\n")
    return root


def seen_until_refused(platform: Platform) -> str:
    """Call until the answer is no longer 200; the code of the refusal."""
    record = "/v1/services/municipalities/records/0851"
    with platform.client() as client:
        eventually(lambda: client.get(record).status_code != 200, "never refused")
        return str(client.get(record).json()["code"])


@pytest.mark.slow
class TestJourney:
    def test_from_founding_to_a_suspension_that_is_felt(self, tmp_path: Path, address: str) -> None:
        del address
        root = with_password(tmp_path / "one")
        stage = make_stage(root)
        assert not (root / "control" / "control.sqlite").exists()
        # Another machine, with an instance of its own and the same control database.
        second = found_instance(with_password(tmp_path / "two"), environment="test")
        with running(stage) as platform:
            with platform.client() as client:
                person = (stage.profile.folder / "person.json").read_bytes()
                reply = client.post(LOOKUP, content=person, headers={"content-type": "application/json"})
                assert reply.status_code == 200
            with open_control(second, settings_of(second)) as control:
                assert stage.profile.folder.name in {each.name for each in control.systems()}
            knudepunkt("agreement", "suspend", stage.agreement, instance=second.root)
            assert seen_until_refused(platform) == "agreement_not_live"
            # Every door of the platform that opens the database said what it had to say by now.
            eventually(lambda: "agreement_not_live" in (root / "logs" / "test.log").read_text())
        assert all(SECRET not in log.read_text() for log in (root / "logs").iterdir())


class TestNotThere:
    def test_without_the_password_it_says_where_that_belongs(self, tmp_path: Path, address: str) -> None:
        said = told_by_init(tmp_path / "one")
        assert "control_not_ready" in said
        assert "secrets/control.password" in said
        assert "Traceback" not in said
        assert address not in said

    def test_a_wrong_password_is_not_repeated(self, tmp_path: Path, address: str) -> None:
        del address
        said = told_by_init(with_password(tmp_path / "one", "not-the-password"))
        assert "control_not_ready" in said
        assert "not-the-password" not in said

    def test_a_server_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(URL, f"postgresql://{READER}@127.0.0.1:{free_port()}/{DATABASE}")
        said = told_by_init(with_password(tmp_path / "one"))
        assert "control_not_ready" in said
        assert SECRET not in said

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://{READER}:{SECRET}@db.example.dk/control",
            f"postgresql://{READER}@db.example.dk/control?password={SECRET}",
            f"mysql://{READER}:{SECRET}@db.example.dk/control",
            f"{SECRET}",
        ],
    )
    def test_an_address_that_cannot_be_used_is_not_repeated(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv(URL, url)
        with pytest.raises(SettingsInvalid, match=r"control\.url") as refusal:
            found_instance(tmp_path / "one", environment="test")
        assert SECRET not in refusal.value.message + refusal.value.remedy


class TestEnvironment:
    def test_settings_of_a_test_environment_do_not_open_a_production_database(
        self, tmp_path: Path, address: str
    ) -> None:
        del address
        made = found_instance(with_password(tmp_path / "one"), environment="production")
        open_control(made, settings_of(made)).close()
        with pytest.raises(InstanceExists, match="database is of the production environment"):
            found_instance(with_password(tmp_path / "two"), environment="test")
        # Nor does an instance that was founded before with a database of its own, and names this one now.
        other = Instance((tmp_path / "two").resolve())
        with pytest.raises(InstanceExists, match=r"of the production environment"):
            open_control(other, settings_of(other))
