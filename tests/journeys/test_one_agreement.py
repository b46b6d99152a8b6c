"""One agreement, every door: whichever way a consumer comes, it sees the same columns and rows, and the same account is
kept. A narrow agreement (four columns, one municipality's persons, names of protected persons withheld) is walked over
REST, SOAP, SFTP, push, Delta Sharing and SQL, on a platform that runs as an operator runs it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest
from lxml import etree

from control import Agreements, OrganisationKind, ServiceTerms, Sharing, Terms, TestAuthority
from kernel import AgreementId, Limits, ServiceName, SystemId, Window
from runtime.clock import CLOCK
from runtime.demo import MUNICIPALITY, SUPPLIER
from runtime.environment import settings_of
from runtime.migrated import open_control
from runtime.ssh_keys import new_ssh_key
from tests.delivery.receivers import Sshd, openssh
from tests.journeys.platform import Platform, knudepunkt
from tests.soap.post import SOAP_11, authority, enveloped
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LOOKUP, EXTRACT = "cpr-persons", "cpr-persons-extract"
COLUMNS = ("pnr", "status", "municipality_code", "name")
Rows = dict[str, dict[str, Any]]


@dataclass
class Walk:
    """A system with the narrow agreement, on a platform that runs.

    everybody   the register, as the demo's system may see it
    mine        what the agreement covers, worked out from that
    """

    platform: Platform
    sshd: Sshd
    folder: Path
    agreement: AgreementId
    everybody: Rows
    mine: Rows

    def client(self) -> Any:
        return self.platform.client(self.folder / "certificate.pem", self.folder / "key.pem")

    def ensure_mine(self, rows: Rows) -> None:
        assert rows == self.mine

    @property
    def strangers(self) -> list[str]:
        return sorted(self.everybody.keys() - self.mine.keys())


@pytest.fixture
def walk(platform: Platform, tmp_path: Path) -> Iterator[Walk]:
    folder = tmp_path / "walk"
    (folder / "ssh").mkdir(parents=True)
    with openssh(folder / "ssh") as sshd:
        public = json.loads(knudepunkt("subscription", "key", "--json", instance=platform.instance.root).stdout)["key"]
        sshd.key_file.with_suffix(".pub").write_text(public + "\n")
        with platform.client() as http:
            text = http.get(f"/v1/services/{EXTRACT}/extract", params={"format": "ndjson"}).text
        everybody = {row["pnr"]: row for row in map(json.loads, text.splitlines())}
        place, _ = Counter(row["municipality_code"] for row in everybody.values()).most_common(1)[0]
        mine = {
            pnr: {name: row[name] for name in COLUMNS}
            for pnr, row in everybody.items()
            if row["municipality_code"] == place
        }
        assert 0 < len(mine) < len(everybody)
        agreement = agree(platform, folder, place)
        yield Walk(platform, sshd, folder, agreement, everybody, mine)


def agree(platform: Platform, folder: Path, place: str) -> AgreementId:
    instance = platform.instance
    with open_control(instance, settings_of(instance)) as control:
        municipality, supplier = (control.find_organisation(cvr) for cvr, _ in (MUNICIPALITY, SUPPLIER))
        assert municipality is not None
        assert supplier is not None
        assert supplier.kind is OrganisationKind.SUPPLIER
        system = control.add_system(supplier.id, "walker", purpose="prøve", contact="nobody@example.invalid")
        issued = TestAuthority.open_or_create(instance.authority).issue_system(supplier.cvr, supplier.name, "walker")
        control.bind_certificate(system.id, issued.cert_pem, trust=instance.trust)
        private, public = new_ssh_key("walker")
        control.bind_ssh_key(system.id, public.decode())
        for name, text in (("certificate.pem", issued.cert_pem), ("key.pem", issued.key_pem), ("id", private)):
            (folder / name).write_bytes(text)
            (folder / name).chmod(0o600)
        narrow = ServiceTerms(columns=frozenset(COLUMNS), rows={"municipality_code": frozenset({place})})
        terms = Terms(
            services={ServiceName(LOOKUP): narrow, ServiceName(EXTRACT): narrow},
            purpose="prøve", legal_basis="prøve", reason="prøve", limits=Limits(keys_per_call=100),
        )  # fmt: skip
        made = Agreements(control, None).request(municipality.id, SystemId(system.id), terms, Window(CLOCK.now())).id
    with platform.client(folder / "certificate.pem", folder / "key.pem") as http:
        eventually(lambda: http.get(f"/v1/services/{EXTRACT}/extract/plan").status_code == 200)
    return made


def test_every_door_shows_the_same_and_keeps_the_same_account(walk: Walk, tmp_path: Path) -> None:
    with walk.client() as http:
        file = over_rest(walk, http)
        over_soap(walk, http)
        pushed(walk, http)
    over_sftp(walk, *file, tmp_path)
    shared(walk, tmp_path)
    accounted(walk)


def over_rest(walk: Walk, http: Any) -> tuple[str, bytes]:
    answer = http.get(f"/v1/services/{EXTRACT}/extract", params={"format": "ndjson"})
    walk.ensure_mine({row["pnr"]: row for row in map(json.loads, answer.text.splitlines())})
    told = http.post(f"/v1/services/{LOOKUP}/lookup", json={"keys": sorted(walk.everybody)}).json()
    walk.ensure_mine({each["key"]: each["record"] for each in told["records"]})
    assert sorted(told["missing"]) == walk.strangers
    refused = http.get(f"/v1/services/{EXTRACT}/extract", params={"columns": "pnr,address"})
    assert (refused.status_code, refused.json()["code"]) == (403, "columns_not_covered")
    return answer.headers["content-disposition"].split('"')[1], answer.content


def over_soap(walk: Walk, http: Any) -> None:
    namespace = f"urn:knudepunkt:{LOOKUP}:1"
    keys = "".join(f"<key>{key}</key>" for key in sorted(walk.everybody))
    body = enveloped(f'<LookupRequest xmlns="{namespace}">{authority(MUNICIPALITY[0])}{keys}</LookupRequest>')
    head = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    answer = http.post(f"/soap/{LOOKUP}", content=body.encode(), headers=head)
    assert answer.status_code == 200, answer.text[:500]
    found = etree.fromstring(answer.content).find(f"{{{SOAP_11}}}Body")[0]
    seen = {}
    for record in found.iterfind(f"{{{namespace}}}record"):
        told = {etree.QName(cell).localname: cell for cell in record.find(f"{{{namespace}}}content")}
        assert told.keys() <= set(COLUMNS)
        seen[told["pnr"].text] = {name: cell.text for name, cell in told.items() if name != "name"}
        given = told["name"].findtext(f"{{{namespace}}}surname") if "name" in told else None
        assert given == (walk.mine[told["pnr"].text]["name"] or {}).get("surname")
    plain = [name for name in COLUMNS if name != "name"]
    assert seen == {pnr: {name: row[name] for name in plain} for pnr, row in walk.mine.items()}
    assert sorted(each.text for each in found.iterfind(f"{{{namespace}}}missing")) == walk.strangers


def over_sftp(walk: Walk, name: str, content: bytes, folder: Path) -> None:
    if shutil.which("sftp") is None:
        pytest.skip("OpenSSH's sftp is not installed")
    options = folder / "ssh_config"
    options.write_text(
        (walk.platform.stage.profile.folder / "ssh_config")
        .read_text()
        .replace(str(walk.platform.stage.profile.ssh_key), str(walk.folder / "id"))
    )
    for each, out in ((name, "got"), (f"{name}.manifest.json", "manifest")):
        path = f"knudepunkt:/{MUNICIPALITY[0]}/{EXTRACT}/{each}"
        subprocess.run(
            ["sftp", "-q", "-F", str(options), path, out], cwd=folder, check=True, capture_output=True, timeout=300
        )
    assert (folder / "got").read_bytes() == content
    manifest = json.loads((folder / "manifest").read_bytes())
    assert (manifest["columns"], manifest["rows"]) == (sorted(COLUMNS, key=manifest["columns"].index), len(walk.mine))


def pushed(walk: Walk, http: Any) -> None:
    target = {"kind": "sftp", **{name: getattr(walk.sshd.target(), name) for name in ("host", "user", "host_key")},
              "port": walk.sshd.port, "folder": str(walk.sshd.inbox)}  # fmt: skip
    made = http.post(
        f"/v1/services/{EXTRACT}/subscriptions", json={"kind": "full", "format": "ndjson", "target": target}
    )
    assert made.status_code == 201, made.text
    eventually(lambda: list(walk.sshd.inbox.glob("*.trigger")), lambda: http.get("/v1/deliveries").text)
    (file,) = walk.sshd.inbox.glob("*.ndjson")
    walk.ensure_mine({row["pnr"]: row for row in map(json.loads, file.read_text().splitlines())})
    assert http.patch(made.headers["location"], json={"state": "ended"}).status_code == 200


ANALYST = """
import sys, delta_sharing
delta_sharing.load_as_pandas(sys.argv[1]).to_pickle(sys.argv[2])
"""


def shared(walk: Walk, folder: Path) -> None:
    trusted = str(walk.platform.stage.profile.authority)
    instance = walk.platform.instance
    with open_control(instance, settings_of(instance)) as control:
        _, token = Sharing(control).make(walk.agreement, timedelta(hours=1))
    profile = folder / "walker.share"
    endpoint = f"{walk.platform.url}/sharing"
    profile.write_text(json.dumps({"shareCredentialsVersion": 1, "endpoint": endpoint, "bearerToken": token}))
    bearer = {"Authorization": f"Bearer {token}"}
    with walk.platform.client(Path()) as http:
        eventually(lambda: http.get("/sharing/shares", headers=bearer).status_code == 200)
    # In a process of its own: the client's libraries read whom to trust once, when they are imported.
    table, answer = f"{profile}#{walk.agreement}.cpr.{EXTRACT}", folder / "frame.pickle"
    trusting = os.environ | {"SSL_CERT_FILE": trusted, "REQUESTS_CA_BUNDLE": trusted}
    subprocess.run([sys.executable, "-c", ANALYST, table, str(answer)], check=True, env=trusting)
    frame = pd.read_pickle(answer)
    assert set(frame.columns) == set(COLUMNS)
    told = frame.astype(object).where(frame.notna(), None).to_dict("records")
    # Times are values there, and texts elsewhere.
    rows = json.loads(json.dumps(told, default=lambda value: value.isoformat()))
    walk.ensure_mine({row["pnr"]: {name: row[name] for name in COLUMNS} for row in rows})


def accounted(walk: Walk) -> None:
    """The ledger, as SQL shows it: one agreement, one text of terms, one municipality; and so many rows each time."""
    seen: list[dict[str, Any]] = []

    def told() -> set[tuple[str, str]]:
        seen[:] = walk.platform.sql(
            "select channel, kind, operation, municipality_cvr, terms_hash, rows, whole, size_bytes from calls "
            f"where agreement = '{walk.agreement}' and kind <> 'refused' and (kind = 'delivered' or rows > 0)"
        )
        return {(each["channel"], each["kind"]) for each in seen}

    # The end of a file is entered when its last byte has left.
    every = {
        ("rest", "answered"), ("rest", "delivered"), ("soap", "answered"), ("sftp", "delivered"),
        ("push", "delivered"), ("sharing", "delivered"),
    }  # fmt: skip
    eventually(lambda: told() >= every, told)
    assert {(each["channel"], each["kind"]) for each in seen} == every
    assert len({each["terms_hash"] for each in seen}) == 1
    assert {each["municipality_cvr"] for each in seen} == {MUNICIPALITY[0]}
    assert {each["rows"] for each in seen} == {len(walk.mine)}
    delivered = [each for each in seen if each["kind"] == "delivered"]
    assert all(each["whole"] for each in delivered)
    # The same bytes, whichever way they went; what is shared is in a form of its own.
    assert len({each["size_bytes"] for each in delivered if each["channel"] != "sharing"}) == 1
