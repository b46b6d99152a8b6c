"""The administrator's verbs on the command line: the same doors as over REST, things by the names people use."""

import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from control.errors import CertificateNotIssued, CertificateRefused, NotYours, Unregistered, UserInvalid
from kernel import PlatformError
from runtime.administration import NameAmbiguous
from runtime.cli import app
from runtime.founding import found_instance
from runtime.keymaking import KeyExists
from runtime.ssh_keys import new_ssh_key
from tests.journeys.platform import knudepunkt

NINA, BO = "nina@fiktive.example", "bo@fiktive.example"


@dataclass(frozen=True)
class Terminal:
    root: Path

    def run(self, *words: str) -> str:
        """What a verb says. Raises what it is refused with."""
        done = CliRunner().invoke(app, list(words), env={"KNUDEPUNKT_INSTANCE": str(self.root), "COLUMNS": "200"})
        if isinstance(done.exception, PlatformError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def misused(self, *words: str) -> str:
        done = CliRunner().invoke(app, list(words), env={"KNUDEPUNKT_INSTANCE": str(self.root), "COLUMNS": "200"})
        assert done.exit_code == 2
        return done.output

    def apply(self, cvr: str, name: str, email: str, *more: str, kind: str = "supplier") -> Any:
        return self.json(
            "org", "apply", kind, cvr, name, "--email", "info@fiktive.example", "--user-name", "Nina Ny",
            "--user-email", email, *more,
        )  # fmt: skip


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("administration") / "instance"
    found_instance(root, environment="test")
    terminal = Terminal(root)
    terminal.apply("12345678", "Fiktive ApS", NINA)
    terminal.run("system", "register", "care", "--as", NINA, "--purpose", "Plans.", "--contact", "x@fiktive.example")
    return root


@pytest.fixture
def terminal(founded: Path, tmp_path: Path) -> Terminal:
    """An instance with a supplier, its administrator and a system; changes are the test's own."""
    shutil.copytree(founded, tmp_path / "instance")
    return Terminal(tmp_path / "instance")


class TestOrganisations:
    def test_come_in_with_a_first_user_who_has_a_key(self, terminal: Terminal, tmp_path: Path) -> None:
        told = terminal.apply("22222222", "Nye ApS", "ny@nye.example", "--out", str(tmp_path / "ny"))
        assert told["organisation"]["state"] == "confirmed"
        assert told["user"]["roles"] == ["administrator", "user"]
        assert stat.S_IMODE((tmp_path / "ny" / "key.pem").stat().st_mode) == 0o600
        (bound,) = terminal.json("user", "show", "ny@nye.example")["certificates"]
        certificate = x509.load_pem_x509_certificate((tmp_path / "ny" / "certificate.pem").read_bytes())
        from control import fingerprint_of

        assert bound == fingerprint_of(certificate)

    def test_that_cannot_come_in_leave_no_key(self, terminal: Terminal, tmp_path: Path) -> None:
        with pytest.raises(PlatformError):
            terminal.apply("12345678", "Igen ApS", "ny@nye.example", "--out", str(tmp_path / "ny"))
        assert list((tmp_path / "ny").iterdir()) == []

    def test_have_a_standing(self, terminal: Terminal) -> None:
        assert terminal.json("org", "suspend", "12345678", "--note", "prøve")["state"] == "suspended"
        assert [each["cvr"] for each in terminal.json("org", "list", "--state", "suspended")] == ["12345678"]
        assert terminal.json("org", "resume", "Fiktive ApS")["state"] == "confirmed"
        with pytest.raises(PlatformError, match="cannot take the step resume"):
            terminal.run("org", "resume", "12345678")
        (resumed, suspended, _) = terminal.json("notice", "list", "--as", NINA)
        assert "prøve" in suspended["text"]
        assert terminal.json("notice", "read", resumed["id"], "--as", NINA)["read"]

    def test_of_others_are_not_there_for_a_user(self, terminal: Terminal) -> None:
        terminal.run("org", "add", "supplier", "33333333", "Rivalen A/S")
        terminal.run(
            "system", "register", "rival", "--org", "33333333", "--purpose", "x", "--contact", "y@rivalen.example"
        )
        assert [each["cvr"] for each in terminal.json("org", "list", "--as", NINA)] == ["12345678"]
        assert [each["name"] for each in terminal.json("system", "list", "--as", NINA)] == ["care"]
        for words in (("org", "show", "33333333"), ("system", "show", "rival"), ("cert", "list", "rival")):
            with pytest.raises(Unregistered):
                terminal.run(*words, "--as", NINA)


class TestUsers:
    def test_are_added_by_an_administrator_and_do_what_their_roles_let_them(self, terminal: Terminal) -> None:
        added = terminal.json("user", "add", "Bo Berg", BO, "--role", "user", "--as", NINA)
        assert added["roles"] == ["user"]
        with pytest.raises(NotYours):
            terminal.run("user", "add", "X", "x@fiktive.example", "--role", "user", "--as", BO)
        terminal.run("system", "register", "bos", "--purpose", "x", "--contact", "y@fiktive.example", "--as", BO)
        assert terminal.json("user", "roles", BO, "--role", "administrator", "--as", NINA)["roles"] == ["administrator"]
        assert terminal.json("user", "end", NINA, "--as", BO)["ended"]
        with pytest.raises(UserInvalid, match="last administrator"):
            terminal.run("user", "end", BO)
        with pytest.raises(Unregistered):
            terminal.run("org", "list", "--as", NINA)
        assert "administrator, user" in terminal.misused("user", "roles", BO, "--role", "root")

    def test_are_known_by_certificates(self, terminal: Terminal, tmp_path: Path) -> None:
        first = terminal.json("user", "certificate", NINA, "--out", str(tmp_path / "nina"))
        with pytest.raises(KeyExists):
            terminal.run("user", "certificate", NINA, "--out", str(tmp_path / "nina"))
        second = terminal.json("user", "certificate", NINA, "--out", str(tmp_path / "nina"), "--renew")
        bound = terminal.json("user", "show", NINA)["certificates"]
        assert bound == [first["fingerprint"], second["fingerprint"]]
        terminal.run("user", "revoke", first["fingerprint"])
        assert terminal.json("user", "show", NINA)["certificates"] == [second["fingerprint"]]
        with pytest.raises(CertificateRefused, match="bound to a user already"):
            terminal.run("user", "certificate", NINA, str(tmp_path / "nina" / "certificate.pem"))


class TestCertificates:
    def test_are_made_with_the_key_that_lies_beside_them(self, terminal: Terminal) -> None:
        told = terminal.json("cert", "request", "care")
        folder = terminal.root / "clients" / "care"
        key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
        assert certificate.public_key() == key.public_key()
        assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
        assert [each["fingerprint"] for each in terminal.json("cert", "list", "care")] == [told["fingerprint"]]

    def test_overlap_when_they_are_renewed_and_a_third_waits(self, terminal: Terminal) -> None:
        folder = terminal.root / "clients" / "care"
        old = terminal.json("cert", "request", "care")["fingerprint"]
        pair = (folder / "key.pem").read_bytes(), (folder / "certificate.pem").read_bytes()
        new = terminal.json("cert", "request", "care", "--renew")["fingerprint"]
        assert ((folder / "key.old.pem").read_bytes(), (folder / "certificate.old.pem").read_bytes()) == pair
        before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "request.pem"}
        with pytest.raises(CertificateRefused, match="2 live certificates"):
            terminal.run("cert", "request", "care", "--renew")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert terminal.json("cert", "revoke", old[:12])["revoked"]
        terminal.run("cert", "request", "care", "--renew")
        live = [each["fingerprint"] for each in terminal.json("cert", "list", "care") if not each["revoked"]]
        assert new in live
        assert len(live) == 2

    def test_are_refused_another_system(self, terminal: Terminal) -> None:
        terminal.run("cert", "request", "care")
        terminal.run("system", "register", "other", "--as", NINA, "--purpose", "x", "--contact", "y@fiktive.example")
        with pytest.raises(CertificateRefused, match="bound to a system already"):
            terminal.run("cert", "upload", "other", str(terminal.root / "clients" / "care" / "certificate.pem"))

    def test_need_no_instance_for_key_and_request_alone(self, tmp_path: Path) -> None:
        nowhere = Terminal(tmp_path / "nowhere")
        told = nowhere.json("cert", "request", "care", "--only-files", "--out", str(tmp_path / "keys"))
        assert told.keys() == {"key", "request"}
        request = x509.load_pem_x509_csr(Path(told["request"]).read_bytes())
        assert request.is_signature_valid
        with pytest.raises(KeyExists):
            nowhere.run("cert", "request", "care", "--only-files", "--out", str(tmp_path / "keys"))

    @pytest.mark.parametrize("name", ["../escaped", ".hidden", "a/b"])
    def test_do_not_lie_where_a_systems_name_would_lead(self, terminal: Terminal, name: str) -> None:
        terminal.run("system", "register", name, "--as", NINA, "--purpose", "x", "--contact", "y@fiktive.example")
        before = set(terminal.root.rglob("*"))
        assert "none for a folder" in terminal.misused("cert", "request", name)
        assert not {path for path in set(terminal.root.rglob("*")) - before if path.suffix == ".pem"}

    def test_that_end_soon_are_listed_until_they_are_renewed(self, terminal: Terminal) -> None:
        terminal.run("cert", "request", "care")
        assert terminal.json("cert", "expiring") == []
        assert len(terminal.json("cert", "expiring", "--days", "2000")) == 1

    def test_are_not_made_in_production(self, tmp_path: Path) -> None:
        found_instance(tmp_path / "instance", environment="production")
        terminal = Terminal(tmp_path / "instance")
        terminal.run("org", "add", "supplier", "12345678", "Fiktive ApS")
        terminal.run("system", "register", "care", "--org", "12345678", "--purpose", "x", "--contact", "y@z.example")
        with pytest.raises(CertificateNotIssued):
            terminal.run("cert", "request", "care")
        with pytest.raises(CertificateNotIssued):
            terminal.apply("22222222", "Nye ApS", NINA, "--out", str(tmp_path / "keys"))
        with pytest.raises(CertificateRefused, match="employee's certificate"):
            terminal.apply("22222222", "Nye ApS", NINA)
        assert not list(tmp_path.rglob("key.pem"))


class TestKeysAndProcessing:
    def test_ssh_keys_are_bound_listed_and_revoked(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "care.pub").write_bytes(new_ssh_key("care")[1])
        bound = terminal.json("key", "bind", "care", str(tmp_path / "care.pub"), "--as", NINA)
        assert terminal.json("key", "list", "care") == [bound]
        assert terminal.json("key", "revoke", "care", bound["fingerprint"][:10])["revoked"]
        assert "No such file" in terminal.misused("key", "bind", "care", str(tmp_path / "none.pub"))

    def test_a_processing_agreement_is_recorded_and_ended(self, terminal: Terminal, tmp_path: Path) -> None:
        terminal.run("org", "add", "municipality", "11111111", "Korsbæk Kommune")
        (tmp_path / "aftale.pdf").write_bytes(b"%PDF")
        words = ("processing", "record", "11111111", "sag 17", str(tmp_path / "aftale.pdf"), "--from", "2026-01-01")
        made = terminal.json(*words)
        assert terminal.json("processing", "list") == [made]
        assert terminal.json("processing", "end", made["id"])["valid_to"]
        assert "before it begins" in terminal.misused(*words, "--to", "2025-01-01")
        assert "such as" in terminal.misused(*words[:-1], "i morgen")


class TestTheTrail:
    def test_says_who_and_from_where(self, terminal: Terminal) -> None:
        last = terminal.json("audit", "list", "--limit", "1")[0]
        assert (last["actor"], last["address"]) == ("Nina Ny (CVR 12345678)", "command line")
        terminal.run("org", "change", "12345678", "--email", "ny@fiktive.example")
        assert " at " in terminal.json("audit", "list", "--limit", "1")[0]["actor"]
        assert len(terminal.json("audit", "list", "--org", "12345678")) == 1

    def test_that_was_rewritten_or_cut_is_found_out(self, terminal: Terminal) -> None:
        whole = terminal.json("audit", "verify")
        assert whole["broken_at"] is None
        terminal.run("audit", "verify", "--expect", whole["last_hash"])
        with sqlite3.connect(terminal.root / "control" / "control.sqlite") as db:
            db.execute("DROP TRIGGER audit_no_delete")
            db.execute("DROP TRIGGER audit_no_update")
            db.execute("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)")
        db.close()
        assert terminal.json("audit", "verify")["broken_at"] is None
        cut = CliRunner().invoke(
            app, ["audit", "verify", "--expect", whole["last_hash"]], env={"KNUDEPUNKT_INSTANCE": str(terminal.root)}
        )
        assert cut.exit_code == 1
        with sqlite3.connect(terminal.root / "control" / "control.sqlite") as db:
            db.execute("UPDATE audit SET actor = 'nobody' WHERE number = 1")
        db.close()
        forged = CliRunner().invoke(app, ["audit", "verify"], env={"KNUDEPUNKT_INSTANCE": str(terminal.root)})
        assert forged.exit_code == 1
        assert "NOT whole" in forged.output


class TestNames:
    def test_that_mean_several_things_are_not_guessed(self, terminal: Terminal) -> None:
        terminal.run("org", "add", "supplier", "33333333", "Rivalen A/S")
        terminal.run("system", "register", "care", "--org", "33333333", "--purpose", "x", "--contact", "y@z.example")
        with pytest.raises(NameAmbiguous):
            terminal.run("system", "show", "care")
        with pytest.raises(Unregistered):
            terminal.run("system", "show", "")


def groups() -> Iterator[tuple[str, Any]]:
    for group in app.registered_groups:
        if group.rich_help_panel == "Administer it":
            assert group.typer_instance is not None
            for command in group.typer_instance.registered_commands:
                yield f"{group.name} {command.name or getattr(command.callback, '__name__', '')}", command.callback


@pytest.mark.parametrize(("name", "verb"), list(groups()))
def test_every_verb_has_examples(name: str, verb: Any) -> None:
    assert "Example" in verb.__doc__
    assert f"knudepunkt {name}" in verb.__doc__


def test_a_refusal_is_told_in_a_sentence(founded: Path) -> None:
    done = knudepunkt("system", "show", "nothing", instance=founded, check=False)
    assert done.returncode == 1
    assert "What to do" in done.stderr
    assert "Traceback" not in done.stderr
