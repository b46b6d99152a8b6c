"""A copy is proved by digests and mended where it differs, with nothing fetched that was right."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from runtime.client import Refused
from runtime.copying import Copy, CopyUnreadable
from tests.api.house import MUNICIPALITIES, Client, House, serving

SERVICE = "municipalities-extract"
ROWS = 300


def town(number: int) -> dict[str, Any]:
    return MUNICIPALITIES[0] | {"code": f"{number:04d}", "name": f"By {number}", "population": number}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    with House.open(tmp_path_factory.mktemp("house")) as house, serving(house) as (_, port):
        house.publish("municipality.municipalities", [town(number) for number in range(100, 100 + ROWS)])
        yield house, port


@pytest.fixture
def http(standing: tuple[House, int]) -> Iterator[httpx2.Client]:
    house, port = standing
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one")) as client:
        yield client


@pytest.fixture
def right(http: httpx2.Client) -> list[bytes]:
    body = http.get(f"/v1/services/{SERVICE}/extract?format=ndjson").content
    return body.splitlines(keepends=True)


def spoiled(lines: list[bytes], seed: int) -> list[bytes]:
    """A copy in which rows are missing, other, or of their own."""
    chance = random.Random(seed)
    found = list(lines)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found))
        what = chance.choice(["lose", "change", "add"])
        row = orjson.loads(found[at])
        if what == "lose":
            del found[at]
        elif what == "change":
            found[at] = orjson.dumps(row | {"population": -1}) + b"\n"
        else:
            found.insert(at + 1, orjson.dumps(row | {"code": row["code"] + "x"}) + b"\n")
    return found


def test_a_right_copy_is_right_and_nothing_is_fetched(http: httpx2.Client, right: list[bytes], tmp_path: Path) -> None:
    copy = tmp_path / "copy.ndjson"
    copy.write_bytes(b"".join(right))
    for part_rows in (1, 7, ROWS, 2_000):
        proof = Copy(http, SERVICE).check(copy, repair=True, part_rows=part_rows)
        assert (proof.right, proof.rows, proof.fetched) == (True, ROWS, 0)
        assert proof.parts == -(-ROWS // part_rows)
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("seed", range(8))
def test_what_differs_is_found_and_mended(http: httpx2.Client, right: list[bytes], tmp_path: Path, seed: int) -> None:
    copy = tmp_path / "copy.ndjson"
    wrong = b"".join(spoiled(right, seed))
    copy.write_bytes(wrong)
    found = Copy(http, SERVICE).check(copy, part_rows=10)
    assert 1 <= found.differing <= 3
    assert copy.read_bytes() == wrong
    mended = Copy(http, SERVICE).check(copy, repair=True, part_rows=10)
    assert mended.fetched == 10 * mended.differing
    assert copy.read_bytes() == b"".join(right)
    assert mended.cursor == found.cursor


@pytest.mark.parametrize("start", ["nothing", "all but the last", "strangers"])
def test_a_copy_may_lack_everything(http: httpx2.Client, right: list[bytes], tmp_path: Path, start: str) -> None:
    copy = tmp_path / "copy.ndjson"
    strangers = [orjson.dumps({"code": code}) + b"\n" for code in ("0000", "9999")]
    copy.write_bytes(b"".join({"nothing": [], "all but the last": right[:-1], "strangers": strangers}[start]))
    Copy(http, SERVICE).check(copy, repair=True, part_rows=50)
    assert copy.read_bytes() == b"".join(right)


@pytest.mark.parametrize("text", [b"no json\n", b"[]\n", b"{}\n", b'{"code": 7}\n', b'{"code":"2"}\n{"code":"1"}\n'])
def test_what_is_no_copy_is_said_and_left_alone(http: httpx2.Client, tmp_path: Path, text: bytes) -> None:
    copy = tmp_path / "copy.ndjson"
    copy.write_bytes(text)
    with pytest.raises(CopyUnreadable, match=r"line [12] "):
        Copy(http, SERVICE).check(copy, repair=True)
    assert copy.read_bytes() == text


def test_an_agreement_proves_what_it_covers(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("two")) as http:
        copy = tmp_path / "copy.ndjson"
        copy.write_bytes(http.get("/v1/services/cpr-persons-extract/extract?format=ndjson").content)
        assert Copy(http, "cpr-persons-extract").check(copy).right
        with pytest.raises(Refused):
            Copy(http, "cpr-persons-extract", ["pnr", "address"]).check(copy)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("proof", {"part_rows": 0}, "body_invalid"),
        ("proof", {"part_rows": 10_001}, "body_invalid"),
        ("proof", {"low": "1"}, "body_invalid"),
        ("proof", {"columns": ["name"]}, "delta_needs_key"),
        ("rows", {"low": 7}, "body_invalid"),
        ("rows", {"part_rows": 7}, "body_invalid"),
        ("rows", {"snapshot": 1, "low": "6101701001"}, "history_expired"),
    ],
)
def test_a_request_that_cannot_be_met_is_explained(
    standing: tuple[House, int], path: str, body: dict[str, Any], code: str
) -> None:
    client = Client(*standing)
    reply = client.post(f"/v1/services/{SERVICE}/copy/{path}", body)
    client.close()
    assert reply.code == code
    assert "6101701001" not in reply.body.decode()
