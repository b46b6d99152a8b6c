"""What bulk paths answer, when it goes well and when it does not, is what the OpenAPI document says of them."""

import time
from typing import Any

import pytest

from tests.api.house import Client, Reply
from tests.described import Described

BASE = "/v1/services/municipalities-extract"
NOBODY = "01890000-0000-7000-8000-000000000001"


@pytest.fixture
def described(client: Client) -> Described:
    return Described(client.get("/openapi.json").json)


def hold(described: Described, client: Client, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """The answer, which is as described."""
    if body is None:
        reply = client.call(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    else:
        reply = client.post(path, body, **headers)
    described.hold(method, path, reply.status, reply.headers.get("content-type", ""), reply.body)
    return reply


def test_answers_of_bulk_paths_are_as_described(client: Client, described: Described) -> None:
    for query in ("format=csv", "format=xml", "format=parquet&compression=none", "columns=code,name&format=ndjson"):
        whole = hold(described, client, "GET", f"{BASE}/extract?{query}")
        assert whole.status == 200
    whole = hold(described, client, "GET", f"{BASE}/extract?format=csv")
    file = whole.headers["content-disposition"].partition('"')[2].rstrip('"')
    etag = whole.headers["etag"]
    assert hold(described, client, "GET", f"{BASE}/extract", Range="bytes=5-9").status == 206
    assert hold(described, client, "GET", f"{BASE}/extract", Range="bytes=999999-").status == 416
    assert hold(described, client, "GET", f"{BASE}/extract", If_None_Match=etag).status == 304
    assert hold(described, client, "GET", f"{BASE}/files/{file}", Range="bytes=5-9").status == 206
    for path in ("extract.xsd", "extract/plan", f"extract?since={whole.headers['knudepunkt-cursor']}", "files",
                 f"files/{file}", f"files/{file}.manifest.json", "extracts"):  # fmt: skip
        assert hold(described, client, "GET", f"{BASE}/{path}").status == 200
    later = hold(described, client, "GET", f"{BASE}/extract?format=csv-dk", Prefer="respond-async")
    assert later.status == 202
    begun = hold(described, client, "POST", f"{BASE}/extracts", {"format": "arrow", "columns": ["code"]})
    assert begun.status == 202
    for each in (later, begun):
        place = each.headers["location"]
        while hold(described, client, "GET", place).json["state"] not in {"ready", "failed"}:
            time.sleep(0.05)
        assert hold(described, client, "DELETE", place).status == 204
    assert hold(described, client, "POST", f"{BASE}/copy/proof", {"part_rows": 1}).status == 200
    for form in ("ndjson", "arrow"):
        assert hold(described, client, "POST", f"{BASE}/copy/rows", {"low": "0461", "format": form}).status == 200


def test_refusals_of_bulk_paths_are_as_described(client: Client, described: Described) -> None:
    for path, code in (
        ("extract?format=cvs", "parameter_invalid"), ("extract?columns=nothing", "column_unknown"),
        ("extract?since=abc", "extract_cursor_invalid"), ("extract?snapshot=99999", "snapshot_unknown"),
        ("extract?as_of=2001-01-01T00:00:00Z", "history_expired"), ("extract?format=cpr", "format_impossible"),
        ("extract/plan?format=cvs", "parameter_invalid"), ("files/nothing.csv", "file_not_found"),
        ("files/nothing.csv.manifest.json", "file_not_found"), (f"extracts/{NOBODY}", "extract_unknown"),
        ("files?x=1", "parameter_invalid"), ("extract.xsd?x=1", "parameter_invalid"),
    ):  # fmt: skip
        refused = hold(described, client, "GET", f"{BASE}/{path}")
        assert refused.code == code
        assert refused.json["remedy"]
    for path, body, code in (
        ("extracts", {"colums": []}, "body_invalid"), ("extracts", {"columns": "code"}, "body_invalid"),
        ("extracts", [], "body_invalid"), ("copy/proof", {"part_rows": 0}, "body_invalid"),
        ("copy/rows", {"format": "csv"}, "body_invalid"), ("extracts", {"format": "cvs"}, "parameter_invalid"),
    ):  # fmt: skip
        refused = hold(described, client, "POST", f"{BASE}/{path}", body)
        assert refused.code == code
        assert '"key"' not in refused.json["remedy"]  # an extract is not asked for by keys


def test_the_signing_key_and_decisions_are_described(client: Client, described: Described) -> None:
    assert hold(described, client, "GET", "/.well-known/knudepunkt-signing-key.pem").status == 200
    trace = hold(described, client, "GET", f"{BASE}/extract?format=cvs").json["instance"].rpartition(":")[2]
    assert hold(described, client, "GET", f"/v1/decisions/{trace}").json["decisions"][0]["code"] == "parameter_invalid"
    assert hold(described, client, "GET", "/v1/decisions/none").code == "decision_not_found"


def test_nobody_is_refused_as_described(connect: Any, described: Described) -> None:
    stranger = connect(None)
    for path in ("extract", "extract/plan", "extract.xsd", "files", "extracts", f"extracts/{NOBODY}", "files/x.csv"):
        assert hold(described, stranger, "GET", f"{BASE}/{path}").code == "certificate_missing"
    lonely = connect("lonely")
    for path in ("extract", "extract/plan", "files", "extracts"):
        assert hold(described, lonely, "GET", f"{BASE}/{path}").code == "agreement_missing"
