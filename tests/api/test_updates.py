"""Records whose master is the platform: written over the wire, judged by their contract, there at once."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import make_app
from kernel import CallAnswered, SnapshotId
from replica import Lake, LakeBusy, Lookups, ReplicaSettings, refresh_segments
from runtime.mastering import Master, begin_master
from tests.api.house import ANNA, CLOCK, Client, House, Reply, serving
from tests.api.live_house import agree_on

PATH, LOOKUP = "/v1/services/korsbaek-notes-update/records", "korsbaek-notes"


@pytest.fixture(scope="module")
def writing(standing: tuple[House, int]) -> Iterator[tuple[House, int]]:
    house = standing[0]
    agree_on(house, "writer", "korsbaek-notes-update", "korsbaek-notes")
    agree_on(house, "scoped", "korsbaek-notes-update", "korsbaek-notes", rows={"pnr": frozenset({ANNA})})
    agree_on(house, "few", "korsbaek-notes-update", columns=frozenset({"reference", "text"}))
    master = Master(
        lambda: nullcontext(house.lake), lambda *_: None,
        lambda lake, dataset: refresh_segments(lake, dataset, house.root / "segments", ReplicaSettings()),
        clock=CLOCK, fictitious_only=True, patience_s=50.0,
    )  # fmt: skip
    with serving(house, make_app(replace(house.doors(), write=master.write))) as (_, port):
        yield house, port
    master.close()


@pytest.fixture
def connected(writing: tuple[House, int], house: House) -> Iterator[Any]:
    with ExitStack() as stack:

        def made(name: str = "writer") -> Client:
            client = Client(*writing, name)
            stack.callback(client.close)
            return client

        yield made


@pytest.fixture
def writer(connected: Any) -> Client:
    client: Client = connected()
    return client


def send(client: Client, method: str, key: str, record: Any = None, **headers: str) -> Reply:
    body = {"key": key} if record is None else {"key": key, "record": record}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.call(method, PATH, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


NOTE = {"pnr": ANNA, "text": "Ring i morgen", "weight": 2}


class TestOneRecord:
    def test_it_is_there_at_once_and_its_tag_is_the_lookups(self, writer: Client, house: House) -> None:
        made = send(writer, "PUT", "n-1", NOTE)
        assert (made.status, made.json["record"]) == (201, {"reference": "n-1", **NOTE})
        found = writer.lookup(LOOKUP, {"key": "n-1"})
        assert found.json["record"] == made.json["record"]
        assert found.headers["etag"] == made.headers["etag"]
        assert found.json["snapshot"] == made.json["snapshot"]

    def test_changing_and_removing_it_are_publications_with_their_history(self, writer: Client, house: House) -> None:
        made = send(writer, "PUT", "n-2", NOTE)
        changed = send(writer, "PATCH", "n-2", {"weight": 5}, If_Match=made.headers["etag"])
        assert changed.json["record"] == {"reference": "n-2", **NOTE, "weight": 5}
        assert changed.headers["etag"] != made.headers["etag"]
        gone = send(writer, "DELETE", "n-2", If_Match=changed.headers["etag"])
        assert (gone.status, gone.json["record"]) == (200, None)
        assert writer.lookup(LOOKUP, {"key": "n-2"}).status == 404
        dataset = house.dataset("korsbaek.notes")
        first, last = (SnapshotId(reply.json["snapshot"]) for reply in (made, gone))
        feed = house.lake.changes(dataset, SnapshotId(first - 1), first).to_pylist()
        assert [(row["_change"], row["reference"]) for row in feed] == [("insert", "n-2")]
        feed = house.lake.changes(dataset, first, last).to_pylist()
        assert [(row["_change"], row["reference"]) for row in feed] == [("delete", "n-2")]
        then = writer.lookup(LOOKUP, {"key": "n-2", "snapshot": changed.json["snapshot"]})
        assert then.json["record"]["weight"] == 5

    def test_whom_it_is_about_and_what_it_did_are_on_record(self, writer: Client, house: House) -> None:
        reply = send(writer, "PUT", "n-3", NOTE)
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.operation.value, fact.subjects, fact.snapshot) == ("update", ("n-3",), reply.json["snapshot"])


class TestConditions:
    def test_a_change_says_which_state_it_changes(self, writer: Client) -> None:
        made = send(writer, "PUT", "c-1", NOTE)
        assert send(writer, "PUT", "c-1", NOTE).code == "condition_missing"
        assert send(writer, "PATCH", "c-1", {"weight": 1}).status == 428
        assert send(writer, "PATCH", "c-1", {"weight": 1}, If_Match='"other"').code == "record_changed"
        assert send(writer, "PATCH", "c-1", {"weight": 1}, If_Match=f'"other", {made.headers["etag"]}').status == 200
        assert send(writer, "PATCH", "c-1", {"weight": 3}, If_Match=made.headers["etag"]).status == 412
        assert send(writer, "PATCH", "c-1", {"weight": 3}, If_Match="*").status == 200

    def test_a_new_one_only_is_refused_when_there_is_one(self, writer: Client) -> None:
        assert send(writer, "PUT", "c-2", NOTE, If_None_Match="*").status == 201
        assert send(writer, "PUT", "c-2", NOTE, If_None_Match="*").status == 412
        assert send(writer, "PUT", "c-3", NOTE, If_Match="*").status == 412
        assert send(writer, "DELETE", "nobody", If_Match="*").status == 404

    def test_of_many_at_once_who_saw_the_same_state_one_wins(self, writer: Client, connected: Any) -> None:
        seen = send(writer, "PUT", "c-4", NOTE).headers["etag"]
        clients, replies = [connected() for _ in range(8)], list[Reply]()

        def change(number: int) -> None:
            replies.append(send(clients[number], "PATCH", "c-4", {"text": f"nr. {number}"}, If_Match=seen))

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(reply.status for reply in replies) == [200] + [412] * 7
        (won,) = (reply for reply in replies if reply.status == 200)
        assert writer.lookup(LOOKUP, {"key": "c-4"}).json["record"] == won.json["record"]


class TestContract:
    @pytest.mark.parametrize(
        ("record", "rule"),
        [
            ({**NOTE, "pnr": None}, "required"),
            ({**NOTE, "pnr": "0101701234"}, "pattern"),
            ({**NOTE, "weight": 6}, "maximum"),
            ({**NOTE, "weight": "2"}, "wrong_type"),
            ({**NOTE, "weight": 2.5}, "wrong_type"),
            ({**NOTE, "text": ["x"]}, "wrong_type"),
        ],
    )
    def test_what_breaks_it_is_refused_by_rule_and_without_its_value(
        self, writer: Client, record: dict[str, Any], rule: str
    ) -> None:
        reply = send(writer, "PUT", "k-1", record)
        assert (reply.status, reply.code) == (422, "record_invalid")
        assert reply.json["rule"] == f"korsbaek.notes.{rule}"
        assert "0101701234" not in reply.body.decode()
        assert writer.lookup(LOOKUP, {"key": "k-1"}).status == 404

    @pytest.mark.parametrize("key", ["", "with blank", "x" * 41, "æ"])
    def test_a_key_has_its_shape(self, writer: Client, key: str) -> None:
        assert send(writer, "PUT", key, NOTE).code in {"key_invalid", "input_invalid"}

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"{}", b'{"key": "a"}', b'{"key": "a", "record": 1}', b'{"key": "a", "record": {}, "x": 1}'],
    )
    def test_a_body_of_another_form_is_refused(self, writer: Client, body: bytes) -> None:
        assert writer.call("PUT", PATH, body).code == "input_invalid"

    def test_a_column_that_is_not_there_is_named(self, writer: Client) -> None:
        assert send(writer, "PUT", "k-2", {**NOTE, "colour": "red"}).code == "column_unknown"


class TestAgreement:
    def test_rows_outside_are_neither_seen_nor_made(self, writer: Client, connected: Any) -> None:
        other = "6101701002"
        send(writer, "PUT", "a-1", {**NOTE, "pnr": other})
        scoped = connected("scoped")
        assert send(scoped, "PATCH", "a-1", {"weight": 1}, If_Match="*").code == "record_unknown"
        assert send(scoped, "DELETE", "a-1", If_Match="*").code == "record_unknown"
        assert send(scoped, "PUT", "a-1", NOTE, If_Match="*").code == "record_outside"
        assert send(scoped, "PUT", "a-2", {**NOTE, "pnr": other}).code == "record_outside"
        mine = send(scoped, "PUT", "a-3", NOTE)
        assert mine.status == 201
        assert send(scoped, "PATCH", "a-3", {"pnr": other}, If_Match="*").code == "record_outside"

    def test_columns_that_it_does_not_show_are_neither_written_nor_emptied(
        self, writer: Client, connected: Any
    ) -> None:
        send(writer, "PUT", "a-4", NOTE)
        few = connected("few")
        assert send(few, "PATCH", "a-4", {"weight": 1}, If_Match="*").code == "columns_not_covered"
        reply = send(few, "PUT", "a-4", {"text": "Kort"}, If_Match="*")
        assert reply.json["record"] == {"reference": "a-4", "text": "Kort"}
        assert writer.lookup(LOOKUP, {"key": "a-4"}).json["record"] == {"reference": "a-4", **NOTE, "text": "Kort"}


class TestTheWriter:
    def test_while_another_process_writes_a_change_waits_and_is_then_refused_whole(
        self, tmp_path: Path, house: House
    ) -> None:
        dataset, calls = house.dataset("korsbaek.notes"), []

        def busy() -> Any:
            raise LakeBusy("another process is publishing")

        master = Master(busy, lambda *_: None, lambda *_: None, clock=CLOCK, fictitious_only=True, patience_s=0.3)
        with pytest.raises(LakeBusy) as refusal:
            master.write(dataset, "w-1", lambda current: calls.append(current))
        assert refusal.value.retry_after_s
        assert not calls
        master.close()

    def test_a_dataset_that_nobody_wrote_to_is_empty_and_ready(self, tmp_path: Path, house: House) -> None:
        dataset = house.dataset("korsbaek.notes")
        with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as lake:
            for _ in range(2):
                begin_master(lake, dataset, CLOCK)
            info = refresh_segments(lake, dataset, tmp_path / "segments", ReplicaSettings())
            assert (info.rows, len(lake.runs())) == (0, 1)
        assert Lookups(tmp_path / "segments", [dataset.id]).reader(dataset.id).get("n-1") is None

    def test_many_changes_are_few_publications(self, tmp_path: Path, house: House) -> None:
        dataset, opened = house.dataset("korsbaek.notes"), []

        def open_lake() -> Lake:
            opened.append(1)
            return Lake.open(tmp_path / "lake", ReplicaSettings(), write=True)

        master = Master(
            open_lake, lambda *_: None,
            lambda lake, each: refresh_segments(lake, each, tmp_path / "segments", ReplicaSettings()),
            clock=CLOCK, fictitious_only=True, patience_s=120.0,
        )  # fmt: skip
        written: list[Any] = []

        def write(number: int) -> None:
            record = {"reference": f"m-{number}", **NOTE}
            written.append(master.write(dataset, f"m-{number}", lambda _: record))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        master.close()
        assert len(written) == 40
        assert len({each.info.snapshot for each in written}) < 20
        with Lake.open(tmp_path / "lake", ReplicaSettings(), write=False) as lake:
            info = lake.info(dataset)
            assert info is not None
            assert info.rows == 40
