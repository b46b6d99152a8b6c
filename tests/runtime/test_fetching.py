"""What a consumer receives is whole and verified, wherever the line is cut."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from runtime.client import ExtractDamaged, Refused
from runtime.fetching import CursorUnreadable, DownloadCut, Fetch, FileSink, PipeSink, cursor_of
from tests.api.house import House, serving
from tests.runtime.cutter import cutting

PATH = "/v1/services/municipalities-extract/extract"
ROWS = 20_000


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    with House.open(tmp_path_factory.mktemp("house")) as house, serving(house) as (_, port):
        house.many = ROWS
        yield house, port


def fetched(standing: tuple[House, int], part: Path, after: list[int], **query: str) -> tuple[bytes, int]:
    """The bytes that a consumer has in the end, and how often it was cut."""
    house, port = standing
    with (
        cutting(port, after) as cutter,
        httpx2.Client(base_url=f"https://localhost:{cutter.port}", verify=house.context("one"), timeout=60) as http,
    ):
        done = Fetch(http, PATH, query, {}, sleep=lambda _: None).run(lambda _: FileSink(part))
    assert hashlib.sha256(part.read_bytes()).hexdigest() == done.told["sha256"]
    assert done.told["rows"] == ROWS
    return part.read_bytes(), cutter.cuts


@pytest.mark.slow
def test_goes_on_wherever_it_was_cut(standing: tuple[House, int], tmp_path: Path) -> None:
    whole, _ = fetched(standing, tmp_path / "whole", [])
    chance = random.Random(20310310)
    for number in range(6):
        # A connection has some thousand bytes of handshake before the first of the file.
        after = [chance.randrange(100, 2 * len(whole) // 3) for _ in range(4)]
        assert fetched(standing, tmp_path / str(number), after)[0] == whole


def test_goes_on_with_what_an_earlier_run_left(standing: tuple[House, int], tmp_path: Path) -> None:
    whole, _ = fetched(standing, tmp_path / "whole", [])
    (tmp_path / "part").write_bytes(whole[:100_000])
    seen: list[int] = []
    house, port = standing
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one"), timeout=60) as http:
        Fetch(http, PATH, {}, {}, tell=lambda at, _: seen.append(at)).run(lambda _: FileSink(tmp_path / "part"))
    assert seen[0] == 100_000
    assert (tmp_path / "part").read_bytes() == whole


def test_gives_up_when_nothing_comes_any_more(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    fetched(standing, tmp_path / "whole", [])
    with (
        cutting(port, [20_000, *[0] * 30]) as cutter,
        httpx2.Client(base_url=f"https://localhost:{cutter.port}", verify=house.context("one"), timeout=60) as http,
        pytest.raises(DownloadCut),
    ):
        Fetch(http, PATH, {}, {}, sleep=lambda _: None).run(lambda _: FileSink(tmp_path / "part"))


def test_keeps_nothing_that_is_not_what_the_manifest_says(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    fetched(standing, tmp_path / "whole", [])
    (tmp_path / "part").write_bytes(b"somebody else's bytes")
    with (
        httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one"), timeout=60) as http,
        pytest.raises(ExtractDamaged),
    ):
        Fetch(http, PATH, {}, {}).run(lambda _: FileSink(tmp_path / "part"))
    assert not (tmp_path / "part").exists()


def test_to_a_pipe_goes_on_too(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    whole, _ = fetched(standing, tmp_path / "whole", [])
    got = bytearray()
    with (
        cutting(port, [200_000]) as cutter,
        httpx2.Client(base_url=f"https://localhost:{cutter.port}", verify=house.context("one"), timeout=60) as http,
    ):
        Fetch(http, PATH, {}, {}, sleep=lambda _: None).run(lambda _: PipeSink(got.extend))
    assert bytes(got) == whole


def test_a_refusal_says_why(standing: tuple[House, int], tmp_path: Path) -> None:
    house, port = standing
    with httpx2.Client(base_url=f"https://localhost:{port}", verify=house.context("one"), timeout=60) as http:
        for query, code in (({"format": "xlsx"}, "parameter_invalid"), ({"since": "7.x"}, "extract_cursor_invalid")):
            with pytest.raises(Refused) as refusal:
                Fetch(http, PATH, query, {}, sleep=lambda _: None).run(lambda _: FileSink(tmp_path / "part"))
            assert refusal.value.code == code


def test_a_cursor_is_that_of_a_manifest_or_itself(tmp_path: Path) -> None:
    manifest = tmp_path / "m.json"
    manifest.write_text(json.dumps({"cursor": "7.0.0123456789abcdef"}))
    assert cursor_of(str(manifest)) == cursor_of("7.0.0123456789abcdef") == "7.0.0123456789abcdef"
    for text in ("{}", "no json", "[]", '{"cursor": null}'):
        manifest.write_text(text)
        with pytest.raises(CursorUnreadable):
            cursor_of(str(manifest))
