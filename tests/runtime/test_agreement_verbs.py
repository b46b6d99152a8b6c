"""`knudepunkt agreement`: requested, decided, renewed on the command line; as the house, or as those whose it is."""

import hashlib
import shutil
from pathlib import Path

import pytest

from control.errors import AgreementInvalid, AgreementTaken, IllegalStep, NotYours, Unregistered
from runtime.founding import found_instance
from tests.runtime.test_administration import NINA, Terminal

DINA = "dina@korsbaek.example"
TERMS = (
    "--service", "municipalities", "--purpose", "Plans.", "--legal-basis", "None is needed.", "--reason", "First.",
)  # fmt: skip


@pytest.fixture(scope="module", params=["test", "production"])
def founded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    root = tmp_path_factory.mktemp("agreements") / "instance"
    found_instance(root, environment=request.param)
    terminal = Terminal(root)
    terminal.run("org", "add", "supplier", "12345678", "Fiktive ApS")
    terminal.run("org", "add", "municipality", "11111111", "Korsbæk Kommune")
    terminal.run("user", "add", "Nina", NINA, "--role", "user", "--org", "12345678")
    terminal.run("user", "add", "Dina", DINA, "--role", "data_controller", "--org", "11111111")
    terminal.run("system", "register", "care", "--as", NINA, "--purpose", "Plans.", "--contact", "x@fiktive.example")
    return root


@pytest.fixture
def terminal(founded: Path, tmp_path: Path) -> Terminal:
    shutil.copytree(founded, tmp_path / "instance")
    return Terminal(tmp_path / "instance")


@pytest.fixture
def production(terminal: Terminal) -> bool:
    return 'environment = "production"' in (terminal.root / "knudepunkt.toml").read_text()


def requested(terminal: Terminal, *more: str) -> str:
    words = ("agreement", "request", "--system", "care", "--municipality", "11111111", *TERMS, *more)
    return str(terminal.json(*words, "--as", NINA)["id"])


class TestARequest:
    def test_waits_for_the_municipality_in_production_alone(self, terminal: Terminal, production: bool) -> None:
        agreement = requested(terminal)
        told = terminal.json("agreement", "show", agreement, "--as", DINA)
        assert told["state"] == ("requested" if production else "approved")
        assert told["may"] == (["approve", "reject"] if production else ["suspend", "terminate"])
        assert told["municipality"]["name"] == "Korsbæk Kommune"
        shown = terminal.run("agreement", "show", agreement)
        assert "Fiktive ApS (12345678)" in shown
        assert "legal_basis: None is needed." in shown

    def test_is_the_suppliers_to_make(self, terminal: Terminal) -> None:
        words = ("agreement", "request", "--municipality", "11111111", *TERMS, "--system")
        with pytest.raises(Unregistered):
            terminal.run(*words, "care", "--as", DINA)
        with pytest.raises(Unregistered):
            terminal.run("agreement", "request", "--municipality", "99999999", *TERMS, "--system", "care")

    def test_takes_its_terms_from_a_file(self, terminal: Terminal, tmp_path: Path) -> None:
        file = tmp_path / "terms.yaml"
        file.write_text(
            "services:\n  municipalities: {columns: [code, name], rows: {code: ['0851']}}\n"
            "purpose: Plans.\nlegal_basis: None.\nreason: Try.\nlimits: {calls_per_day: 5}\n"
        )
        words = ("agreement", "request", "--system", "care", "--municipality", "11111111", "--file", str(file))
        told = terminal.json(*words, "--to", "2040-01-01")
        assert told["terms"]["services"]["municipalities"]["rows"] == {"code": ["0851"]}
        assert (told["terms"]["limits"]["calls_per_day"], told["valid_to"][:10]) == (5, "2040-01-01")
        assert "not both" in terminal.misused(*words, "--reason", "x")
        file.write_text("services: {municipalities: {everything: true}}\npurpose: x\nlegal_basis: x\nreason: x\n")
        assert "everything" in terminal.misused(*words)
        file.write_text("services: [")
        assert "terms.yaml" in terminal.misused(*words)

    def test_says_what_is_wrong(self, terminal: Terminal) -> None:
        words = ("agreement", "request", "--system", "care", "--municipality", "11111111")
        assert "--service" in terminal.misused(*words)
        assert "--columns" in terminal.misused(*words, *TERMS, "--columns", "cpr-persons=pnr")
        with pytest.raises(AgreementInvalid):
            terminal.run(*words, *TERMS, "--columns", "municipalities=shoe_size")
        with pytest.raises(AgreementInvalid, match="before it begins"):
            terminal.run(*words, *TERMS, "--to", "2020-01-01")
        with pytest.raises(AgreementInvalid, match="code is not known"):
            terminal.run(*words, *TERMS, "--own", "municipalities=code")
        terminal.run("org", "code", "11111111", "0851")
        told = terminal.json(*words, *TERMS, "--own", "municipalities=code")
        assert told["terms"]["services"]["municipalities"]["rows"] == {"code": ["0851"]}


class TestTheDocument:
    def test_is_shown_as_people_read_it(self, terminal: Terminal) -> None:
        agreement = requested(terminal)
        danish = terminal.run("agreement", "show", agreement, "--document", "da")
        english = terminal.run("agreement", "show", agreement, "--document", "en", "--as", DINA)
        assert "Korsbæk Kommune" in danish
        assert "Korsbæk Kommune" in english
        assert danish != english
        assert "da or en" in terminal.misused("agreement", "show", agreement, "--document", "se")


class TestALife:
    def test_is_the_municipalitys_to_decide(self, terminal: Terminal, production: bool) -> None:
        agreement = requested(terminal)
        if production:
            with pytest.raises(NotYours):
                terminal.run("agreement", "approve", agreement, "--as", NINA)
            approved = terminal.json("agreement", "approve", agreement, "--as", DINA, "--note", "sag 17")
            assert approved["state"] == "approved"
        assert terminal.json("agreement", "suspend", agreement, "--as", DINA)["state"] == "suspended"
        with pytest.raises(IllegalStep):
            terminal.run("agreement", "approve", agreement)
        assert terminal.json("agreement", "resume", agreement, "--as", DINA)["state"] == "approved"
        steps = terminal.json("agreement", "history", agreement, "--as", NINA)
        assert [each["step"] for each in steps] == ["draft", "request", "approve", "suspend", "resume"]
        assert [each["id"] for each in terminal.json("agreement", "list", "--state", "approved")] == [agreement]
        assert terminal.json("agreement", "terminate", agreement, "--as", NINA)["state"] == "terminated"

    def test_is_renewed_and_listed_when_it_ends(self, terminal: Terminal, production: bool) -> None:
        agreement = requested(terminal, "--to", "2099-01-01")
        if production:
            terminal.run("agreement", "approve", agreement)
        with pytest.raises(AgreementTaken):
            terminal.run("agreement", "approve", requested(terminal))
        assert [each["id"] for each in terminal.json("agreement", "expiring", "--days", "36500")] == [agreement]
        renewed = terminal.json("agreement", "renew", agreement, "--to", "2100-01-01", "--as", NINA)
        assert (renewed["replaces"], renewed["valid_from"][:10]) == (agreement, "2099-01-01")

    def test_begins_with_a_draft_that_only_its_author_sees(self, terminal: Terminal) -> None:
        agreement = requested(terminal, "--draft")
        with pytest.raises(Unregistered):
            terminal.run("agreement", "show", agreement, "--as", DINA)
        assert terminal.json("agreement", "withdraw", agreement, "--as", NINA)["state"] == "withdrawn"


def test_the_document_is_written_whole_and_bears_the_agreements_hash(terminal: Terminal, tmp_path: Path) -> None:
    agreement = requested(terminal)
    told = terminal.json("agreement", "document", agreement[:18], "--out", str(tmp_path / "aftale"), "--as", DINA)
    assert sorted(path.name for path in (tmp_path / "aftale").iterdir()) == told["files"]
    assert hashlib.sha256((tmp_path / "aftale" / "agreement.json").read_bytes()).hexdigest() == told["hash"]
    assert "Korsbæk Kommune" in (tmp_path / "aftale" / "agreement.da.html").read_text(encoding="utf-8")
    with pytest.raises(Unregistered):
        terminal.run("agreement", "document", "0000", "--out", str(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


class TestDelegations:
    def test_are_given_used_and_withdrawn(self, terminal: Terminal, production: bool) -> None:
        terminal.run("user", "roles", NINA, "--role", "administrator", "--role", "user")
        given = terminal.json("delegation", "give", "12345678", "--service", "municipalities", "--as", DINA)
        agreement = requested(terminal)
        if production:
            done = terminal.json("agreement", "approve", agreement, "--as", NINA)
            assert done["delegation"] == given["id"]
        with pytest.raises(NotYours):
            terminal.run("delegation", "withdraw", given["id"], "--as", NINA)
        assert terminal.json("delegation", "withdraw", given["id"], "--as", DINA)["withdrawn"]
        assert len(terminal.json("delegation", "list", "--org", "12345678")) == 1
        state = terminal.json("agreement", "show", agreement)["state"]
        assert state == ("suspended" if production else "approved")
