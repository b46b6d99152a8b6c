"""What a newcomer is promised: a lookup, an extract over HTTPS, the same over SFTP, an answer in SQL."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.journeys.platform import Platform, knudepunkt

KEY = "key"


def the_key(platform: Platform) -> str:
    return str(json.loads((platform.stage.profile.folder / "person.json").read_text())[KEY])


class TestLookup:
    def test_gives_the_person_with_snapshot_and_age(self, platform: Platform) -> None:
        with platform.client() as http:
            answer = http.post("/v1/services/cpr-persons/lookup", json={KEY: the_key(platform)})
        assert answer.status_code == 200
        assert answer.json()["record"]["pnr"] == the_key(platform)
        assert answer.json()["record"]["name"]["surname"]
        assert answer.headers["knudepunkt-snapshot"] == str(answer.json()["snapshot"])
        assert int(answer.headers["age"]) >= 0
        assert answer.headers["cache-control"] == "no-store"

    def test_gives_only_the_columns_asked_for(self, platform: Platform) -> None:
        body = {KEY: the_key(platform), "columns": ["status", "pnr"]}
        with platform.client() as http:
            record = http.post("/v1/services/cpr-persons/lookup", json=body).json()["record"]
        assert sorted(record) == ["pnr", "status"]

    def test_names_the_keys_without_a_record(self, platform: Platform) -> None:
        with platform.client() as http:
            body = {"keys": [the_key(platform), "0000000001"]}
            answer = http.post("/v1/services/cpr-persons/lookup", json=body).json()
        assert [entry[KEY] for entry in answer["records"]] == [the_key(platform)]
        assert answer["missing"] == ["0000000001"]

    def test_gives_a_public_record_by_its_address(self, platform: Platform) -> None:
        with platform.client() as http:
            answer = http.get("/v1/services/municipalities/records/0851")
        assert answer.json()["record"]["name"] == "Aalborg"

    def test_refuses_a_personal_key_in_an_address(self, platform: Platform) -> None:
        with platform.client() as http:
            answer = http.get(f"/v1/services/cpr-persons/records/{the_key(platform)}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "personal_key_in_url"
        assert the_key(platform) not in answer.text

    def test_withholds_name_and_address_of_protected_persons(self, platform: Platform) -> None:
        with platform.client() as http:
            everybody = http.get("/v1/services/cpr-persons-extract/extract", params={"format": "ndjson"}).text
            rows = [json.loads(line) for line in everybody.splitlines()]
            hidden = [row for row in rows if row["name"] is None]
            assert hidden, "the test data holds nobody who is protected"
            answer = http.post("/v1/services/cpr-persons/lookup", json={KEY: hidden[0]["pnr"]}).json()
        assert "name" in answer["withheld"]
        assert answer["record"]["name"] is None
        assert all(row["address"] is None and row["address_text"] is None for row in hidden)
        assert any(each["type"] == "0001" for each in hidden[0]["protections"])


class TestExtract:
    def test_streams_the_register_and_proves_it_whole(self, platform: Platform) -> None:
        with platform.client() as http:
            answer = http.get("/v1/services/cpr-persons-extract/extract")
            manifest = http.get(answer.links["describedby"]["url"]).json()
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert len(rows) == platform.stage.persons == manifest["rows"]
        assert hashlib.sha256(answer.content).hexdigest() == manifest["sha256"]
        assert len(answer.content) == manifest["bytes"]

    def test_goes_on_where_a_download_was_cut(self, platform: Platform) -> None:
        with platform.client() as http:
            whole = http.get("/v1/services/municipalities-extract/extract")
            ready = http.get("/v1/services/municipalities-extract/extract")
            rest = http.get(
                "/v1/services/municipalities-extract/extract",
                headers={"Range": "bytes=1000-", "If-Range": ready.headers["etag"]},
            )
            same = http.get(
                "/v1/services/municipalities-extract/extract", headers={"If-None-Match": ready.headers["etag"]}
            )
        assert rest.status_code == 206
        assert whole.content[:1000] + rest.content == whole.content
        assert same.status_code == 304

    @pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "arrow"])
    def test_gives_every_format(self, platform: Platform, kind: str) -> None:
        with platform.client() as http:
            answer = http.get("/v1/services/municipalities-extract/extract", params={"format": kind})
        assert answer.status_code == 200
        assert len(answer.content) > 1_000

    def test_lies_on_the_shelf_over_sftp(self, platform: Platform, tmp_path: Path) -> None:
        if shutil.which("sftp") is None:
            pytest.skip("OpenSSH's sftp is not installed")
        with platform.client() as http:
            answer = http.get("/v1/services/cpr-persons-extract/extract")
        name = answer.headers["content-disposition"].partition('filename="')[2].rstrip('"')
        config = platform.stage.profile.folder / "ssh_config"
        subprocess.run(
            ["sftp", "-q", "-F", str(config), f"knudepunkt:/11111111/cpr-persons-extract/{name}", "got.csv"],
            cwd=tmp_path, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        assert (tmp_path / "got.csv").read_bytes() == answer.content

    def test_is_checked_and_kept_by_the_command_line(self, platform: Platform, tmp_path: Path) -> None:
        out = tmp_path / "m.parquet"
        done = knudepunkt(
            "extract", "municipalities-extract", "-f", "parquet", "-o", str(out), instance=platform.instance.root
        )
        assert out.exists()
        assert "98 rows" in done.stderr


class TestSql:
    def test_speaks_of_the_calls_just_made(self, platform: Platform) -> None:
        trace = "ab" * 16
        with platform.client() as http:
            http.get("/v1/services/municipalities/records/0461", headers={"traceparent": f"00-{trace}-{'12' * 8}-01"})
        rows = platform.sql(
            f"select service, operation, status, rows, municipality_cvr from calls where trace = '{trace}'"
        )
        assert rows == [
            {
                "service": "municipalities", "operation": "record", "status": 200, "rows": 1,
                "municipality_cvr": "11111111",
            }
        ]  # fmt: skip

    def test_of_the_command_line_says_what_is_wrong_with_a_question(self, platform: Platform) -> None:
        done = knudepunkt("sql", "drop table calls", instance=platform.instance.root, check=False)
        assert done.returncode == 1
        assert "sql_refused" in done.stderr
        assert "Traceback" not in done.stderr


class TestCommandLine:
    def test_looks_up_with_numbers_from_standard_input(self, platform: Platform) -> None:
        done = knudepunkt("lookup", "cpr-persons", "--json", instance=platform.instance.root, stdin=the_key(platform))
        assert json.loads(done.stdout)["records"][0]["record"]["pnr"] == the_key(platform)

    def test_shows_the_status(self, platform: Platform) -> None:
        shown = json.loads(knudepunkt("status", "--json", instance=platform.instance.root).stdout)
        assert shown["running"]["api"] == list(platform.addresses.api)
        assert {each["dataset"]: each["rows"] for each in shown["datasets"]} == {
            "authority.authorities": 102,
            "classification.classes": 86,
            "cpr.persons": platform.stage.persons,
            "cvr.companies": 6,
            "cvr.production_units": 8,
            "municipality.municipalities": 98,
            "road.roads": 1_386,
        }

    def test_finds_the_ledger_whole(self, platform: Platform) -> None:
        assert "whole" in knudepunkt("ledger", "verify", instance=platform.instance.root).stdout

    def test_says_what_to_do_without_an_instance(self, tmp_path: Path) -> None:
        done = knudepunkt("status", instance=tmp_path, check=False)
        assert done.returncode == 1
        assert "knudepunkt init" in done.stderr
