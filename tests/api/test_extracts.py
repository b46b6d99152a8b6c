"""Over the wire: extracts that are fetched later, the agreement's files, plans, and readers that stall."""

import hashlib
import json
import socket
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.rest.pace import EASY_BYTES, PAUSE_S
from extract import ExtractStore, Shelf
from kernel import RowsDelivered
from runtime.signing import Signer
from tests.api.conftest import Connect
from tests.api.house import CLOCK, Client, House, Reply, serving
from tests.api.test_extract import deliveries
from tests.waiting import eventually

SERVICE = "/v1/services/municipalities-extract"
PERSONS = "/v1/services/cpr-persons-extract"


def until_ready(client: Client, path: str) -> dict[str, Any]:
    eventually(lambda: client.get(path).json["state"] != "running")
    found: dict[str, Any] = client.get(path).json
    return found


def delete(client: Client, path: str) -> Reply:
    return client.call("DELETE", path)


class TestLater:
    def test_is_accepted_made_and_fetched_from_where_it_says(self, house: House, client: Client) -> None:
        begun = client.post(f"{SERVICE}/extracts", {"format": "ndjson", "columns": ["code", "name"]})
        assert begun.status == 202
        assert int(begun.headers["retry-after"]) > 0
        path = begun.headers["location"]
        told = until_ready(client, path)
        assert (told["state"], told["rows"], told["rows_expected"], told["kind"]) == ("ready", 2, 2, "full")
        house.facts.clear()
        file = client.get(told["file"])
        assert [json.loads(line)["code"] for line in file.body.splitlines()] == ["0461", "0851"]
        assert hashlib.sha256(file.body).hexdigest() == told["sha256"]
        assert deliveries(house)[0].whole
        manifest = client.get(told["manifest"]).json
        assert (manifest["sha256"], manifest["cursor"]) == (told["sha256"], told["cursor"])
        assert manifest["schema"] == {"code": "string", "name": "string"}

    def test_may_be_preferred_to_waiting(self, client: Client) -> None:
        path = f"{SERVICE}/extract?columns=code,region"
        later = client.get(path, Prefer="respond-async, wait=5")
        assert (later.status, later.headers["preference-applied"]) == (202, "respond-async")
        until_ready(client, later.headers["location"])
        assert client.get(path, Prefer="respond-async").status == 200

    def test_a_download_of_it_resumes(self, client: Client) -> None:
        begun = client.post(f"{SERVICE}/extracts", {"columns": ["code", "cvr", "region"]})
        told = until_ready(client, begun.headers["location"])
        whole = client.get(told["file"])
        rest = client.get(told["file"], Range="bytes=10-", If_Range=whole.headers["etag"])
        assert (rest.status, rest.body) == (206, whole.body[10:])
        assert client.call("HEAD", told["file"]).headers["content-length"] == str(len(whole.body))

    def test_is_listed_and_can_be_cancelled(self, client: Client) -> None:
        path = client.post(f"{SERVICE}/extracts", {"format": "xml"}).headers["location"]
        until_ready(client, path)
        listed = client.get(f"{SERVICE}/extracts").json["extracts"]
        assert path.rpartition("/")[2] in {each["id"] for each in listed}
        assert [delete(client, path).status for _ in range(2)] == [204, 204]
        assert client.get(path).json["state"] == "cancelled"

    def test_is_nobody_elses(self, client: Client, connect: Connect) -> None:
        path = client.post(f"{PERSONS}/extracts", {}).headers["location"]
        told = until_ready(client, path)
        other = connect("two")
        for found in (other.get(path), delete(other, path), other.get(told["file"]), other.get(told["manifest"])):
            assert found.status == 404
        assert client.get(path).json["state"] == "ready"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"format": "xlsx"}, "parameter_invalid"),
            ({"format": 7}, "body_invalid"),
            ({"columns": "code"}, "body_invalid"),
            ({"columns": ["shoe_size"]}, "column_unknown"),
            ({"since": "6101701001"}, "extract_cursor_invalid"),
            ({"6101701001": 1}, "body_invalid"),
            ([], "body_invalid"),
        ],
    )
    def test_a_request_that_cannot_be_met_is_explained(self, client: Client, body: Any, code: str) -> None:
        reply = client.post(f"{SERVICE}/extracts", body)
        assert (reply.status, reply.code) == (400, code)
        assert "6101701001" not in reply.body.decode()

    def test_other_methods_are_refused(self, client: Client) -> None:
        assert client.call("PUT", f"{SERVICE}/extracts").status == 405
        assert client.call("POST", f"{SERVICE}/extracts/x").status == 405


class TestPlan:
    def test_tells_what_would_be_in_it_and_what_is_left_out_and_why(self, client: Client, connect: Connect) -> None:
        told = client.get(f"{PERSONS}/extract/plan?columns=pnr,name&format=parquet").json
        assert (told["columns"], told["rows_estimated"], told["kind"]) == (["pnr", "name"], 3, "full")
        assert told["left_out"]["status"] == "not asked for"
        assert told["withheld_from_protected"] == ["name"]
        assert "parquet" in told["explanation"][0]
        narrow = connect("two").get(f"{PERSONS}/extract/plan").json
        assert (narrow["columns"], narrow["rows_estimated"]) == (["pnr", "status", "name"], 2)
        assert narrow["left_out"]["address"] == "agreement"
        assert narrow["withheld_from_protected"] == []

    def test_makes_nothing(self, client: Client) -> None:
        path = f"{SERVICE}/extract/plan?format=csv-dk&columns=name,code"
        assert [client.get(path).json["ready"] for _ in range(2)] == [False, False]
        client.get(path.replace("/plan", ""))
        assert client.get(path).json["ready"] is True

    def test_is_refused_as_the_extract_would_be(self, client: Client) -> None:
        assert client.get(f"{SERVICE}/extract/plan?columns=shoe_size").code == "column_unknown"
        assert client.get(f"{SERVICE}/extract/plan?since=1.0.{'a' * 16}").code == "view_changed"


class TestFiles:
    def test_the_shelf_is_a_chain_of_manifests(self, client: Client) -> None:
        for columns in ("code,population", "name,population"):
            client.get(f"{SERVICE}/extract?columns={columns}")
        files = client.get(f"{SERVICE}/files").json["files"]
        assert [each["number"] for each in files] == list(range(1, len(files) + 1))
        text = client.get(f"{SERVICE}/files/{files[-2]['file']}.manifest.json").body
        assert files[-1]["previous"] == hashlib.sha256(text).hexdigest()

    @pytest.mark.parametrize("name", ["nothing.csv", "..", "SHA256SUMS", ".chain", "x.manifest.json.sig"])
    def test_there_is_nothing_else_on_it(self, client: Client, name: str) -> None:
        client.get(f"{SERVICE}/extract")
        assert client.get(f"{SERVICE}/files/{name}").code == "file_not_found"

    def test_what_an_agreement_covers_no_more_is_as_if_it_did_not_exist(
        self, house: House, client: Client, connect: Connect
    ) -> None:
        name = client.get(f"{PERSONS}/extract?format=xml").headers["content-disposition"].split('"')[1]
        wide, narrow = (
            house.root / "shelves" / house.agreements[each] / "cpr-persons-extract" for each in ("one", "two")
        )
        narrow.mkdir(parents=True, exist_ok=True)
        for ending in ("", ".manifest.json"):
            # As when the agreement was as wide once.
            (narrow / f"{name}{ending}").hardlink_to(wide / f"{name}{ending}")
            assert client.get(f"{PERSONS}/files/{name}{ending}").status == 200
            assert connect("two").get(f"{PERSONS}/files/{name}{ending}").code == "file_not_found"
        assert name not in [each["file"] for each in connect("two").get(f"{PERSONS}/files").json["files"]]

    def test_a_manifest_is_proved_with_openssl_alone(self, tmp_path: Path) -> None:
        (tmp_path / "house").mkdir()
        with House.open(tmp_path / "house") as house:
            house.signer = Signer.open(tmp_path / "signing.key")
            with serving(house) as (_, port):
                client = Client(house, port)
                reply = client.get(f"{SERVICE}/extract")
                name = reply.headers["content-disposition"].split('"')[1]
                for path, file in (
                    (f"{SERVICE}/files/{name}.manifest.json", "manifest.json"),
                    (f"{SERVICE}/files/{name}.manifest.json.sig", "manifest.sig"),
                    ("/.well-known/knudepunkt-signing-key.pem", "key.pem"),
                ):
                    (tmp_path / file).write_bytes(client.get(path).body)
                client.close()
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "manifest.sig", "manifest.json"]
        checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert checked.stdout == "Verified OK\n"
        assert json.loads((tmp_path / "manifest.json").read_bytes())["rows"] == 2


def test_a_reader_may_be_fast_pause_and_be_fast_again(tmp_path: Path) -> None:
    with House.open(tmp_path) as house:
        house.many = 400_000
        with serving(house) as (_, port):
            client = Client(house, port)
            whole = client.get(f"{SERVICE}/extract").body
            assert len(whole) > 3 * EASY_BYTES
            house.facts.clear()
            connection = client.connected()
            connection.request("GET", f"{SERVICE}/extract")
            answer, got = connection.getresponse(), b""
            for stretch in (EASY_BYTES + 1, 10_000, 70_000, EASY_BYTES, 1):
                got += answer.read(stretch)
                time.sleep(1.2 * PAUSE_S)
            got += answer.read()
            assert got == whole
            assert deliveries(house)[0].whole
            # The connection is as good as new.
            assert client.get(f"{SERVICE}/extract", Range="bytes=5-9").body == whole[5:10]
            client.close()


def test_a_download_ends_whole_though_the_file_expires_meanwhile(tmp_path: Path) -> None:
    with House.open(tmp_path) as house:
        house.many = 300_000
        with serving(house) as (_, port):
            client = Client(house, port)
            whole = hashlib.sha256(client.get(f"{SERVICE}/extract").body).digest()
            house.facts.clear()
            connection = client.connected()
            connection.request("GET", f"{SERVICE}/extract")
            answer = connection.getresponse()
            begun = answer.read(1_000)
            later = CLOCK.now() + timedelta(days=1)
            assert Shelf(house.root / "shelves").tidy(later) == 1
            assert ExtractStore(house.root / "extracts", house.scan).tidy(later) == 1
            assert hashlib.sha256(begun + answer.read()).digest() == whole
            assert deliveries(house)[0].whole
            # Whoever comes next has it made again.
            assert hashlib.sha256(client.get(f"{SERVICE}/extract").body).digest() == whole
            client.close()


def test_a_reader_that_takes_nothing_is_ended(tmp_path: Path) -> None:
    with House.open(tmp_path) as house:
        house.many, house.stall_s = 3_000_000, 0.5
        with serving(house) as (_, port):
            client = Client(house, port)
            connection = client.connected()
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            connection.request("GET", f"{SERVICE}/extract")
            answer = connection.getresponse()
            assert answer.read(1_000)
            eventually(lambda: [fact for fact in house.facts if isinstance(fact, RowsDelivered)])
            (fact,) = deliveries(house)
            assert not fact.whole
            client.close()
