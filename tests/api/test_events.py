"""The event broker over the wire: who subscribes is told of what changes in its rows, at least once."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import make_app
from integrations import EventSubscriptions, changes_of
from kernel import CallAnswered
from tests.api.house import ANNA, BENT, CARL, PERSONS, Client, House, serving
from tests.api.live_house import agree_on

BASE = "/v1/services/cpr-person-events"
DORTE = "6101701004"


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, int]]:
    """A house of its own: what is published here is not for others."""
    with House.open(tmp_path_factory.mktemp("events")) as house:
        agree_on(house, "told", "cpr-person-events")
        agree_on(house, "other", "cpr-person-events")
        agree_on(house, "local", "cpr-person-events", rows={"municipality_code": frozenset({"0851"})})
        agree_on(house, "keyless", "cpr-person-events", columns=frozenset({"status"}))
        events = EventSubscriptions(house.control.reading, house.control.noting)
        doors = replace(house.doors(), changed=partial(changes_of, house.lake), events=events)
        with serving(house, make_app(doors)) as (_, port):
            yield house, port


@pytest.fixture
def connected(telling: tuple[House, int]) -> Iterator[Any]:
    with ExitStack() as stack:

        def made(name: str = "told") -> Client:
            client = Client(*telling, name)
            stack.callback(client.close)
            return client

        yield made


@pytest.fixture
def publish(telling: tuple[House, int]) -> Iterator[Any]:
    """Publish persons; those who were there before come back at the end."""
    yield partial(telling[0].publish, "cpr.persons")
    telling[0].publish("cpr.persons", PERSONS)


@pytest.fixture
def told(connected: Any) -> Client:
    client: Client = connected()
    return client


def begin(client: Client, **wish: Any) -> str:
    reply = client.post(f"{BASE}/subscriptions", wish)
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def fetch(client: Client, subscription: str, **more: Any) -> dict[str, Any]:
    reply = client.post(f"{BASE}/events", {"subscription": subscription, **more})
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


def words(page: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["data"]["key"], each["type"].rpartition(".")[2]) for each in page["events"]]


def changed(key: str, **fields: Any) -> list[dict[str, Any]]:
    return [{**row, **fields} if row["pnr"] == key else row for row in PERSONS]


def test_it_begins_now_and_tells_what_came_after(told: Client, telling: tuple[House, int], publish: Any) -> None:
    house = telling[0]
    subscription = begin(told)
    assert fetch(told, subscription)["events"] == []
    publish([*changed(ANNA, status="03")[:2], {**PERSONS[0], "pnr": DORTE}])
    page = fetch(told, subscription)
    assert words(page) == [(ANNA, "updated"), (CARL, "deleted"), (DORTE, "inserted")]
    event = page["events"][0]
    assert (event["specversion"], event["source"], event["dataset"]) == ("1.0", BASE, "cpr.persons")
    assert ANNA not in event["id"]
    fact = house.facts[-1]
    assert isinstance(fact, CallAnswered)
    assert fact.subjects == (ANNA, CARL, DORTE)


def test_a_page_that_was_not_receipted_comes_again_with_the_same_ids(
    told: Client, telling: tuple[House, int], publish: Any
) -> None:
    subscription = begin(told)
    publish(changed(ANNA, status="03"))
    first, again = fetch(told, subscription), fetch(told, subscription)
    assert [each["id"] for each in first["events"]] == [each["id"] for each in again["events"]]
    assert fetch(told, subscription, after=first["cursor"])["events"] == []
    assert fetch(told, subscription)["events"] == [], "the receipt is kept"


def test_pages_are_cut_anywhere_and_together_whole(told: Client, telling: tuple[House, int], publish: Any) -> None:
    subscription = begin(told)
    many = [{**PERSONS[0], "pnr": f"61017{number:05}"} for number in range(25)]
    publish([*PERSONS, *many])
    cursor, keys, pages = None, list[str](), 0
    while True:
        page = fetch(told, subscription, limit=7, **({} if cursor is None else {"after": cursor}))
        keys += [key for key, _ in words(page)]
        cursor, pages = page["cursor"], pages + 1
        if not page["more"]:
            break
    assert sorted(keys) == sorted(row["pnr"] for row in many)
    assert (pages, len(keys)) == (4, 25)


def test_moving_in_is_an_insert_and_moving_out_a_delete(
    connected: Any, telling: tuple[House, int], publish: Any
) -> None:
    by_filter, by_agreement = connected("told"), connected("local")
    wide = begin(by_filter, where={"municipality_code": ["0851"]})
    narrow = begin(by_agreement)
    publish([
        {**PERSONS[0], "municipality_code": "0461"}, PERSONS[1], {**PERSONS[2], "municipality_code": "0851"},
    ])  # fmt: skip
    for client, subscription in ((by_filter, wide), (by_agreement, narrow)):
        assert words(fetch(client, subscription)) == [(ANNA, "deleted"), (CARL, "inserted")]


def test_only_watched_columns_are_changes(told: Client, telling: tuple[House, int], publish: Any) -> None:
    subscription = begin(told, columns=["status"])
    publish(changed(ANNA, municipality_code="0461"))
    assert fetch(told, subscription)["events"] == []
    publish(changed(ANNA, status="03"))
    assert words(fetch(told, subscription)) == [(ANNA, "updated")]


def test_what_is_withheld_of_a_protected_person_is_no_change(
    told: Client, telling: tuple[House, int], publish: Any
) -> None:
    subscription = begin(told)
    publish(changed(BENT, name={"given_names": "Bent", "surname": "Anders"}))
    assert fetch(told, subscription)["events"] == []
    refused = told.post(f"{BASE}/subscriptions", {"where": {"name": ["x"]}})
    assert refused.code == "columns_not_covered"


def test_a_subscription_is_its_systems_alone(told: Client, connected: Any) -> None:
    subscription, other = begin(told), connected("other")
    assert other.post(f"{BASE}/events", {"subscription": subscription}).code == "event_subscription_unknown"
    body = b'{"id": "%s"}' % subscription.encode()
    assert other.call("DELETE", f"{BASE}/subscriptions", body).status == 404
    assert subscription in {each["id"] for each in told.get(f"{BASE}/subscriptions").json["subscriptions"]}
    assert subscription not in {each["id"] for each in other.get(f"{BASE}/subscriptions").json["subscriptions"]}
    assert told.call("DELETE", f"{BASE}/subscriptions", body).status == 204
    assert told.post(f"{BASE}/events", {"subscription": subscription}).status == 404


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"where": {"municipality_code": "0851"}}, "input_invalid"), ({"where": []}, "input_invalid"),
        ({"where": {"colour": ["red"]}}, "column_unknown"), ({"columns": []}, "input_invalid"),
        ({"columns": ["colour"]}, "column_unknown"), ({"more": 1}, "input_invalid"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_met_is_refused(told: Client, wish: dict[str, Any], code: str) -> None:
    assert told.post(f"{BASE}/subscriptions", wish).code == code


@pytest.mark.parametrize("after", ["", "1", "1.20260101_2", "0.0", "1.20269999", "99999999999999999999.0", "x" * 300])
def test_a_cursor_that_nobody_gave_is_refused(told: Client, after: str) -> None:
    reply = told.post(f"{BASE}/events", {"subscription": begin(told), "after": after})
    assert reply.code in {"cursor_unknown", "input_invalid"}


def test_an_agreement_without_the_key_tells_nothing(connected: Any) -> None:
    assert connected("keyless").post(f"{BASE}/subscriptions", {}).code == "columns_not_covered"


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=st.lists(st.dictionaries(st.sampled_from([ANNA, BENT, CARL, DORTE]), st.sampled_from(["0461", "0851"])),
                        min_size=1, max_size=3))  # fmt: skip
def test_who_follows_the_events_ends_with_the_right_keys(
    connected: Any, telling: tuple[House, int], publish: Any, history: list[dict[str, str]]
) -> None:
    client, house = connected(), telling[0]
    publish(PERSONS)
    subscription = begin(client, where={"municipality_code": ["0851"]})
    known = {row["pnr"] for row in PERSONS if row["municipality_code"] == "0851"}
    for towns in history:
        house.publish(
            "cpr.persons", [{**PERSONS[0], "pnr": key, "municipality_code": town} for key, town in towns.items()]
        )
        page = fetch(client, subscription)
        for key, word in words(page):
            known = known - {key} if word == "deleted" else known | {key}
        fetch(client, subscription, after=page["cursor"])
        assert known == {key for key, town in towns.items() if town == "0851"}
