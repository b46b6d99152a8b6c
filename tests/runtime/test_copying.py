"""A copy is proved by digests and mended where it differs, with nothing fetched that was right."""

import gzip
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract import Compression, Format, encode
from runtime import copy_order
from runtime.client import Refused
from runtime.copy_draft import CopyBusy
from runtime.copy_file import CopyUnreadable
from runtime.copying import Copy
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
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one"), timeout=60) as client:
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


FORMATS = [Format.CSV, Format.CSV_DK, Format.CSV_DK_BOM, Format.NDJSON, Format.PARQUET, Format.ARROW]
FORMS = [
    *((kind, Compression.NONE) for kind in FORMATS),
    (Format.CSV, Compression.GZIP), (Format.CSV_DK, Compression.ZSTD), (Format.NDJSON, Compression.GZIP),
    (Format.ARROW, Compression.ZSTD),
]  # fmt: skip


def extract_of(http: httpx2.Client, service: str, kind: Format, packed: Compression = Compression.NONE) -> bytes:
    return http.get(f"/v1/services/{service}/extract?format={kind}&compression={packed}").content


def put(path: Path, kind: Format, packed: Compression, schema: pa.Schema, rows: list[dict[str, Any]]) -> bytes:
    """A copy with those rows, in the order given."""
    batches = pa.Table.from_pylist(rows, schema).to_batches(max_chunksize=70)
    path.write_bytes(b"".join(encode(kind, schema, batches, packed)))
    return path.read_bytes()


@pytest.mark.parametrize(("kind", "packed"), FORMS)
class TestInEachForm:
    """The mended copy is, byte for byte, the extract that the platform would hand out."""

    def test_a_right_copy_is_right(
        self, http: httpx2.Client, tmp_path: Path, kind: Format, packed: Compression
    ) -> None:
        copy = tmp_path / "a copy"
        copy.write_bytes(extract_of(http, SERVICE, kind, packed))
        inode = copy.stat().st_ino
        proof = Copy(http, SERVICE).check(copy, repair=True, part_rows=40)
        assert (proof.right, proof.rows, proof.fetched) == (True, ROWS, 0)
        assert (copy.stat().st_ino, list(tmp_path.iterdir())) == (inode, [copy])

    def test_what_differs_is_mended(
        self, http: httpx2.Client, tmp_path: Path, kind: Format, packed: Compression
    ) -> None:
        copy, chance = tmp_path / "a copy", random.Random(f"{kind}{packed}")
        with pa.ipc.open_stream(extract_of(http, SERVICE, Format.ARROW)) as reader:
            rows = reader.read_all().to_pylist()
        del rows[chance.randrange(20, 40)]
        rows[100]["name"] = None
        rows[101]["name"] = ""
        rows.insert(250, rows[250] | {"name": 'to linjer\r\n"citat"; æ,ø', "code": rows[250]["code"] + "x"})
        rows.append(rows[7])
        if packed is Compression.NONE:
            rows.sort(key=lambda row: row["code"])
        else:
            chance.shuffle(rows)
        before = put(copy, kind, packed, reader.schema, rows)
        copy.chmod(0o640)
        found = Copy(http, SERVICE).check(copy, part_rows=10)
        # The parts with a row twice, without a row, with another and with one of its own.
        assert 3 <= found.differing <= 5
        assert copy.read_bytes() == before
        mended = Copy(http, SERVICE).check(copy, repair=True, part_rows=10)
        assert (mended.differing, mended.fetched) == (found.differing, 10 * found.differing)
        assert copy.read_bytes() == extract_of(http, SERVICE, kind, packed)
        assert copy.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("kind", [Format.CSV, Format.CSV_DK, Format.NDJSON, Format.PARQUET])
def test_whole_persons_are_proved_and_mended(standing: tuple[House, int], tmp_path: Path, kind: Format) -> None:
    """With nested columns, dates, times and what is withheld."""
    house, port = standing
    service, copy = "cpr-persons-extract", tmp_path / f"persons.{kind}"
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one"), timeout=60) as http:
        whole = extract_of(http, service, kind)
        with pa.ipc.open_stream(extract_of(http, service, Format.ARROW)) as reader:
            rows = reader.read_all().to_pylist()
        put(copy, kind, Compression.NONE, reader.schema, rows)
        assert Copy(http, service).check(copy).right
        rows[0]["birth_date"], rows[1]["status_from"] = None, datetime(2031, 3, 9, 12, 30, 0, 5)  # noqa: DTZ001
        put(copy, kind, Compression.NONE, reader.schema, list(reversed(rows)))
        proof = Copy(http, service).check(copy, repair=True, part_rows=1)
        assert (proof.differing, proof.fetched) == (2, 2)
        assert copy.read_bytes() == whole


def test_a_copy_of_some_columns_names_them_itself(http: httpx2.Client, tmp_path: Path) -> None:
    for kind in (Format.CSV, Format.PARQUET, Format.ARROW):
        copy = tmp_path / f"copy.{kind}"
        copy.write_bytes(http.get(f"/v1/services/{SERVICE}/extract?format={kind}&columns=code,name").content)
        assert Copy(http, SERVICE).check(copy).right
        assert Copy(http, SERVICE, ["code", "name"]).check(copy).right
        with pytest.raises(CopyUnreadable, match="lacks population"):
            Copy(http, SERVICE, ["code", "name", "population"]).check(copy)
    copy.write_bytes(b"code,nothing\r\n")
    with pytest.raises(Refused):
        Copy(http, SERVICE).check(copy)


@pytest.mark.parametrize("name", ["copy.csv", "copy.ndjson", "copy.parquet", "copy.arrow", "copy"])
def test_an_empty_file_becomes_a_whole_copy_of_the_form_that_its_name_says(
    http: httpx2.Client, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / name
    copy.write_bytes(b"")
    Copy(http, SERVICE).check(copy, repair=True)
    kind = Format(copy.suffix.lstrip(".") or "ndjson")
    assert copy.read_bytes() == extract_of(http, SERVICE, kind)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"no json\n", "no such column"), (b"[]\n", "no such column"), (b"{}\n", "line 1 "),
        (b'{"code": 7}\n', "line 1 "), (b'{"code":"1"}\n{"code":null}\n', "line 2 "),
        (b"PAR1 and nothing more", "cannot be read as parquet"),
        (b"\xff\xff\xff\xff\x10\x00", "cannot be read as arrow"),
        (b"\x1f\x8b\x08 no gzip", "packed"), (b"<?xml version='1.0'?><rows/>", "form that cannot be proved"),
        (b"0000000000000000007203103090000", "form that cannot be proved"),
        (b'code,name,region,region_code,cvr,population\r\n"1","2","3","4","5",6101701001x\r\n',
         "cannot be read as CSV"),
        (bytes([0x28, 0xB5, 0x2F, 0xFD]) + b"no zstd", "packed"), (gzip.compress(b"PAR1", mtime=0), "packed within"),
        (b'code,name,region,region_code,cvr,population\r\n"1","2"\r\n', "cannot be read as CSV"),
        (b"code,name,region,region_code,cvr,population\r\n,,,,,\r\n", "row 1 of the copy has no code"),
    ],
)  # fmt: skip
def test_what_is_no_copy_is_said_and_left_alone(http: httpx2.Client, tmp_path: Path, text: bytes, said: str) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(text)
    with pytest.raises((CopyUnreadable, Refused), match=said) as refused:
        Copy(http, SERVICE).check(copy, repair=True)
    assert "6101701001" not in f"{refused.value} {getattr(refused.value, 'remedy', '')}"
    assert (copy.read_bytes(), list(tmp_path.iterdir())) == (text, [copy])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("abæø0", max_size=4), max_size=60), st.integers(1, 7), st.integers(100, 2_000))
def test_rows_in_any_order_are_sorted_in_little_memory(keys: list[str], rows: int, run_bytes: int) -> None:
    table = pa.table({"key": pa.array(keys, pa.string()), "row": pa.array(range(len(keys)), pa.int64())})
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(copy_order, "RUN_BYTES", run_bytes)
        patch.setattr(copy_order, "MERGED_BYTES", 64)
        found = list(copy_order.in_order(table.to_batches(max_chunksize=rows), "key", Path(folder)))
        assert list(Path(folder).iterdir()) == []
    got = [row for batch in found for row in batch.to_pylist()]
    assert [row["key"] for row in got] == sorted(keys)
    assert sorted(row["row"] for row in got) == list(range(len(keys)))


def test_who_is_killed_while_mending_leaves_the_old_copy(
    standing: tuple[House, int], http: httpx2.Client, right: list[bytes], tmp_path: Path
) -> None:
    """And whoever mends it next is done; two at once are not let in."""
    house, port = standing
    copy = tmp_path / "copy.ndjson"
    wrong = b"".join(right[:-1])
    copy.write_bytes(wrong)
    body = (
        "import os, signal, ssl, sys, httpx2; from pathlib import Path; from runtime.copying import Copy\n"
        "context = ssl.create_default_context(cafile=sys.argv[3])\n"
        "context.load_cert_chain(sys.argv[4], sys.argv[5])\n"
        "def tell(proof):\n"
        "    if proof.parts == 10:\n"
        "        print('there', flush=True); sys.stdin.readline()\n"
        "with httpx2.Client(base_url=sys.argv[1], verify=context, timeout=60) as http:\n"
        f"    Copy(http, '{SERVICE}', tell=tell).check(Path(sys.argv[2]), repair=True, part_rows=20)\n"
    )
    files = (house.root / "trust" / "authority.pem", house.root / "one.pem", house.root / "one.key")
    command = [sys.executable, "-c", body, f"https://localhost:{port}", str(copy), *map(str, files)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        with pytest.raises(CopyBusy):
            Copy(http, SERVICE).check(copy, repair=True)
        process.kill()
    assert copy.read_bytes() == wrong
    left = next(each for each in tmp_path.iterdir() if each != copy)
    assert left.stat().st_mode & 0o777 == 0o600
    Copy(http, SERVICE).check(copy, repair=True)
    assert (copy.read_bytes(), list(tmp_path.iterdir())) == (b"".join(right), [copy])


def test_an_agreement_proves_what_it_covers(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("two"), timeout=60) as http:
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
        ("rows", {"format": "xml"}, "body_invalid"),
        ("rows", {"format": 7}, "body_invalid"),
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
