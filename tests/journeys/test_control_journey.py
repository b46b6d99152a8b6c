"""From nothing to a call, and to the end of it: a supplier and a municipality, over the wire.

Once in the test environment, where a rule confirms and approves; once in production, with two processes that answer,
where people do.
"""

import shutil
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from control import TestAuthority
from runtime.founding import found_instance
from runtime.processes import Addresses
from tests.journeys.platform import Platform, answering, knudepunkt
from tests.waiting import eventually

ADMIN = "/v1/admin"
PATH = "/v1/services/municipalities/records/0851"
NEW, MUNICIPALITY, OPERATOR = "10150817", "29189420", "25313763"


@dataclass
class Wire:
    """Connections to a platform, each with somebody's certificate."""

    url: str
    authority: Path
    folder: Path
    stack: ExitStack
    clients: dict[str | None, httpx2.Client] = field(default_factory=dict)

    def of(self, name: str | None) -> httpx2.Client:
        if name not in self.clients:
            self.clients[name] = self.another(name)
        return self.clients[name]

    def another(self, name: str | None) -> httpx2.Client:
        """A connection of its own."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return self.stack.enter_context(httpx2.Client(base_url=self.url, verify=context, timeout=60))

    def keep(self, name: str, certificate: str | bytes, key: bytes) -> None:
        content = certificate if isinstance(certificate, bytes) else certificate.encode()
        (self.folder / f"{name}.pem").write_bytes(content)
        (self.folder / f"{name}.key").write_bytes(key)

    def post(self, who: str | None, path: str, **document: Any) -> dict[str, Any]:
        """What was made. The step must go well."""
        reply = self.of(who).post(path, json=document)
        assert reply.status_code in {200, 201}, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def get(self, who: str | None, path: str) -> Any:
        reply = self.of(who).get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def call(self, who: str, **headers: str) -> tuple[int, str | None]:
        reply = self.of(who).get(PATH, headers=headers)
        return reply.status_code, reply.json().get("code")


@contextmanager
def wired(url: str, authority: Path, folder: Path) -> Iterator[Wire]:
    with ExitStack() as stack:
        folder.mkdir()
        yield Wire(url, authority, folder, stack)


def signing_request() -> tuple[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the name is the platform's to give")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return request.public_bytes(Encoding.PEM).decode(), private


def wanted(system: str, municipality: str, columns: Sequence[str] | None, **more: Any) -> dict[str, Any]:
    return {
        "municipality": municipality, "system": system, "services": {"municipalities": {"columns": columns}},
        "purpose": "At vise kommunens navn.", "legal_basis": "Forvaltningsloven", "reason": "Navnet mangler.", **more,
    }  # fmt: skip


def test_in_the_test_environment_from_nothing_to_a_call_without_asking_anybody(
    platform: Platform, tmp_path: Path
) -> None:
    with wired(platform.url, platform.stage.profile.authority, tmp_path / "wire") as wire:
        asked, key = signing_request()
        applied = wire.post(
            None, f"{ADMIN}/applications", kind="supplier", cvr=NEW, name="Helt Ny ApS", email="post@ny.example",
            user_name="Nina Ny", user_email="nina@ny.example", signing_request=asked,
        )  # fmt: skip
        assert applied["organisation"]["state"] == "confirmed"
        wire.keep("nina", applied["certificate"], key)
        assert wire.get("nina", "/v1/me")["user"]["roles"] == ["administrator", "user"]

        base = f"{ADMIN}/organisations/{applied['organisation']['id']}"
        system = wire.post("nina", f"{base}/systems", name="care", purpose="Hjemmepleje", contact="drift@ny.example")
        asked, key = signing_request()
        made = wire.post("nina", f"{ADMIN}/systems/{system['id']}/certificates", signing_request=asked)
        wire.keep("care", made["chain"], key)
        eventually(lambda: wire.call("care")[1] == "agreement_missing", told="the certificate is not known")

        # The trial connection: the demo service answers whoever is registered, and the first call is on record.
        assert wire.get("nina", f"{ADMIN}/systems/{system['id']}")["trial"] is None
        assert wire.post("care", "/v1/services/demo-service/call", message="goddag")
        eventually(
            lambda: wire.get("nina", f"{ADMIN}/systems/{system['id']}")["trial"], told="the trial has not passed"
        )

        services = wire.get(None, "/v1/catalogue")["services"]
        assert next(each for each in services if each["name"] == "municipalities")["test_data"]
        demo = wire.get("nina", f"{ADMIN}/organisations")["items"]
        assert [each["cvr"] for each in demo] == [NEW]
        agreement = wire.post("nina", f"{ADMIN}/agreements", **wanted(system["id"], "11111111", None))
        assert agreement["state"] == "approved"
        eventually(lambda: wire.call("care")[0] == 200, told="the agreement carries nothing")
        assert wire.get("care", "/v1/me")["agreements"][0]["id"] == agreement["id"]


@dataclass
class Production:
    """A platform in production with one operator, and the authority that stands for the public ones."""

    root: Path
    outside: TestAuthority
    wire: Wire

    def employee(self, name: str, cvr: str) -> None:
        issued = self.outside.issue_employee(cvr, "Prøve", name)
        self.wire.keep(name, issued.cert_pem, issued.key_pem)

    def system(self, name: str, cvr: str) -> str:
        issued = self.outside.issue_system(cvr, "Prøve", name)
        self.wire.keep(name, issued.cert_pem, issued.key_pem)
        return issued.cert_pem.decode()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    instance = found_instance(folder / "instance", environment="production", api_port=0, sftp_port=0)
    outside = TestAuthority.open_or_create(folder / "outside")
    (instance.trust / "public.pem").write_bytes(outside.ca_pem)
    text = instance.settings_file.read_text()
    assert text.count("workers = 1") == 1
    instance.settings_file.write_text(text.replace("workers = 1", "workers = 2"))
    data = Path(__file__).parents[2] / "fixtures" / "testdata" / "municipality" / "municipalities.csv"
    shutil.copy(data, instance.inbox / "municipality")
    knudepunkt("sync", "municipalities", instance=instance.root)
    # The first operator comes with the machine; everybody else applies.
    issued = outside.issue_employee(OPERATOR, "Driften", "otto")
    (folder / "otto.pem").write_bytes(issued.cert_pem)
    for words in (
        ("org", "add", "operator", OPERATOR, "Driften"),
        ("user", "add", "Otto", "otto@drift.example", "--role", "operator", "--org", OPERATOR),
        ("user", "certificate", "otto@drift.example", str(folder / "otto.pem")),
    ):
        knudepunkt(*words, instance=instance.root)
    with answering(instance):
        addresses = Addresses.of(instance)
        assert addresses is not None
        url = f"https://localhost:{addresses.api[1]}"
        with wired(url, instance.authority / "root.pem", folder / "wire") as wire:
            wire.keep("otto", issued.cert_pem, issued.key_pem)
            yield Production(instance.root, outside, wire)
    assert knudepunkt("ledger", "verify", instance=instance.root).returncode == 0


@pytest.mark.slow
def test_in_production_by_the_word_of_those_whose_word_it_is(production: Production) -> None:
    wire, start = production.wire, datetime.now(UTC)

    # Both apply, each with the certificate of somebody who works there; the operator confirms.
    organisations = {}
    for kind, cvr, name, who in (
        ("supplier", NEW, "Helt Ny ApS", "nina"), ("municipality", MUNICIPALITY, "Aalborg Kommune", "dina"),
    ):  # fmt: skip
        production.employee(who, cvr)
        applied = wire.post(
            who, f"{ADMIN}/applications", kind=kind, cvr=cvr, name=name, email=f"post@{who}.example",
            user_name=who.title(), user_email=f"{who}@{who}.example",
        )  # fmt: skip
        assert applied["organisation"]["state"] == "applied"
        assert wire.of(who).get("/v1/me").json()["code"] == "organisation_not_active"
        organisations[who] = base = f"{ADMIN}/organisations/{applied['organisation']['id']}"
        assert wire.of(who).post(f"{base}/steps", json={"step": "confirm"}).status_code == 403
        assert wire.post("otto", f"{base}/steps", step="confirm")["state"] == "confirmed"

    # The municipality's first user is administrator, and gives a colleague the word on agreements.
    colleague = wire.post(
        "dina", f"{organisations['dina']}/users", name="Carl", email="carl@dina.example", roles=["data_controller"]
    )
    production.employee("carl", MUNICIPALITY)
    pem = (wire.folder / "carl.pem").read_text()
    wire.post("dina", f"{ADMIN}/users/{colleague['id']}/certificates", certificate=pem)
    wire.post(
        "carl", f"{organisations['dina']}/processing-agreements", reference="2026-17", document="ZG9rdW1lbnQ=",
        valid_from=(start - timedelta(days=1)).isoformat(),
    )  # fmt: skip

    # A system, and its certificate from outside.
    system = wire.post(
        "nina", f"{organisations['nina']}/systems", name="care", purpose="Hjemmepleje", contact="drift@nina.example"
    )
    refused = wire.of("nina").post(
        f"{ADMIN}/systems/{system['id']}/certificates", json={"signing_request": signing_request()[0]}
    )
    assert refused.json()["code"] == "certificate_not_issued"
    certificate = production.system("care", NEW)
    assert wire.call("care") == (401, "certificate_unknown")
    wire.post("nina", f"{ADMIN}/systems/{system['id']}/certificates", certificate=certificate)
    eventually(lambda: wire.call("care") == (403, "agreement_missing"), told="the certificate is not known")

    # A request, which carries nothing until the municipality's data controller approves it.
    asked = wanted(system["id"], MUNICIPALITY, ["code", "name"])
    agreement = wire.post("nina", f"{ADMIN}/agreements", **asked)
    steps = f"{ADMIN}/agreements/{agreement['id']}/steps"
    assert agreement["state"] == "requested"
    assert wire.call("care")[0] == 403
    assert wire.of("nina").post(steps, json={"step": "approve"}).json()["code"] == "step_not_yours"
    notices = wire.get("carl", f"{ADMIN}/inbox")["items"]
    assert any(agreement["id"] in each["about"] for each in notices)
    assert wire.post("carl", steps, step="approve", note="Set og godkendt.")["state"] == "approved"
    eventually(lambda: wire.call("care")[0] == 200, told="the agreement carries nothing")
    assert wire.of("care").get(PATH).json()["record"] == {"code": "0851", "name": "Aalborg"}
    assert wire.call("care", **{"Knudepunkt-Agreement": agreement["id"]}) == (200, None)

    # Wider: another request in its place. Until it is approved, the narrow one carries what it says.
    more = f"{PATH}?columns=population"
    assert wire.of("care").get(more).json()["code"] == "columns_not_covered"
    terms = {name: asked[name] for name in ("purpose", "legal_basis", "reason")}
    terms["services"] = {"municipalities": {"columns": ["code", "name", "population"]}}
    now, began = datetime.now(UTC), time.monotonic()
    wider = wire.post("nina", f"{ADMIN}/agreements/{agreement['id']}/renewals", terms=terms, valid_from=now.isoformat())
    assert wider["state"] == "requested"
    assert wire.of("care").get(more).json()["code"] == "columns_not_covered"
    steps = f"{ADMIN}/agreements/{wider['id']}/steps"
    assert wire.post("carl", steps, step="approve")["state"] == "approved"
    renewing_s = time.monotonic() - began
    eventually(lambda: wire.of("care").get(more).status_code == 200, told="the wider agreement carries nothing")
    assert wire.get("care", "/v1/me")["agreements"][0]["terms_hash"] == wider["terms_hash"] != agreement["terms_hash"]

    # Suspended: refused by every process, on connections that are open. Resumed: carried again.
    crowd = crowd_of(production)
    assert [each.get(PATH).status_code for each in crowd] == [200] * len(crowd)
    wire.post("carl", steps, step="suspend", note="Vi ser på noget.")
    eventually(lambda: all(each.get(PATH).status_code == 403 for each in crowd), told="somebody still answers")
    assert {each.get(PATH).json()["code"] for each in crowd} == {"agreement_not_live"}
    wire.post("carl", steps, step="resume")
    eventually(lambda: all(each.get(PATH).status_code == 200 for each in crowd), told="somebody still refuses")

    # An agreement that is over, and one that was ended. Each says what to do next.
    # Long enough to be approved before, on this machine.
    ends = datetime.now(UTC) + timedelta(seconds=3 + 5 * renewing_s)
    short = wire.post(
        "nina", f"{ADMIN}/agreements/{wider['id']}/renewals", valid_from=datetime.now(UTC).isoformat(),
        valid_to=ends.isoformat(),
    )  # fmt: skip
    steps = f"{ADMIN}/agreements/{short['id']}/steps"
    wire.post("carl", steps, step="approve")
    eventually(lambda: wire.call("care") == (403, "agreement_not_live"), told="the agreement never ends")
    assert datetime.now(UTC) >= ends
    gone = wire.of("nina").post(f"{ADMIN}/agreements/{short['id']}/renewals", json={})
    assert gone.json()["rule"] == "agreement.replaces"
    last = wire.post("nina", f"{ADMIN}/agreements", **asked)
    steps = f"{ADMIN}/agreements/{last['id']}/steps"
    wire.post("carl", steps, step="approve")
    eventually(lambda: wire.call("care") == (200, None), told="what follows carries nothing")
    wire.post("carl", steps, step="terminate", note="Opgaven er løst.")
    eventually(lambda: all(each.get(PATH).status_code == 403 for each in crowd), told="somebody still answers")
    refused = wire.of("care").get(PATH)
    assert refused.json()["remedy"]
    assert wire.of("carl").post(steps, json={"step": "resume"}).status_code in {400, 409}

    # Everything is on record: the refusal by its trace id, each step in the trail, who took it and from where.
    decisions = wire.get("care", f"/v1/decisions/{refused.headers['knudepunkt-trace']}")["decisions"]
    assert decisions[0]["code"] == refused.json()["code"]
    history = [each["step"] for each in wire.get("carl", f"{ADMIN}/agreements/{wider['id']}/history")["items"]]
    assert history[:4] == ["draft", "request", "approve", "suspend"]
    assert "resume" in history
    lines = wire.get("otto", f"{ADMIN}/audit?limit=200")["items"]
    taken = (
        "organisation.apply", "organisation.confirm", "system.register", "certificate.bind", "agreement.request",
        "agreement.decide", "agreement.stop", "agreement.terminate",
    )  # fmt: skip
    assert {*taken} <= {each["verb"] for each in lines}
    assert {each["address"] for each in lines if each["actor"].startswith("Carl")} == {"127.0.0.1"}
    assert wire.get("otto", f"{ADMIN}/audit/verification")["broken_at"] is None


def crowd_of(production: Production) -> list[httpx2.Client]:
    """Open connections to both processes that answer: as many as it takes until each has put one of them on record."""
    ledger = production.root / "ledger" / "open"
    crowd: list[httpx2.Client] = []
    before = {file: file.stat().st_size for file in ledger.iterdir()}
    while len(crowd) < 200:
        client = production.wire.another("care")
        assert client.get(PATH).status_code == 200
        crowd.append(client)
        grown = [file for file in ledger.iterdir() if file.stat().st_size > before.get(file, 0)]
        if len(grown) >= 2 and len(crowd) >= 8:
            return crowd
    raise AssertionError("one process took two hundred connections")
