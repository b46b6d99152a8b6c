"""Subscriptions, deliveries and circles over the wire, as a consumer system uses them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from extract.delivery.outbox_tables import DELIVERIES, text_of
from runtime.client import Profile
from runtime.environment import settings_of
from runtime.migrated import open_control
from tests.described import Described
from tests.journeys.platform import Platform, knudepunkt, make_stage, running
from tests.prometheus import families, value
from tests.waiting import eventually

pytestmark = pytest.mark.slow
MUNICIPALITIES = "/v1/services/municipalities-extract/subscriptions"
CIRCLE = "/v1/services/cpr-persons-extract/circle"
UNDESCRIBED = ("/metrics", "/v1/deliveries/1/2")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    stage = make_stage(tmp_path_factory.mktemp("rest") / "instance", persons=20)
    with stage.instance.settings_file.open("a") as settings:
        settings.write("\n[delivery]\nlook_every_s = 0.3\n")
    with running(stage) as found:
        yield found


@pytest.fixture(scope="module")
def described(platform: Platform) -> Described:
    with platform.client() as anybody:
        return Described(anybody.get("/openapi.json").json())


@pytest.fixture
def client(platform: Platform, described: Described) -> Iterator[httpx2.Client]:
    """Each answer that it gets is held against the OpenAPI document."""

    def hold(answer: httpx2.Response) -> None:
        method, path = answer.request.method, answer.request.url.path
        if answer.status_code != 405 and not path.startswith(UNDESCRIBED):
            kind = answer.headers.get("content-type", "")
            described.hold(method, path, answer.status_code, kind, answer.read())

    with platform.client() as found:
        found.event_hooks = {"response": [hold]}
        yield found


def operator(platform: Platform) -> Any:
    profile = Profile.of(platform.instance, "operator")
    return platform.client(profile.certificate, profile.key)


def test_a_system_subscribes_fetches_and_confirms(platform: Platform, client: httpx2.Client) -> None:
    made = client.post(MUNICIPALITIES, json={"format": "ndjson"})
    assert made.status_code == 201, made.text
    subscription = made.json()
    assert client.get(made.headers["location"]).json()["id"] == subscription["id"]
    delivery = _until(client, subscription["id"], "sent")
    body = client.get("/v1/services/municipalities-extract/extract", params={"format": "ndjson"})
    assert len(body.content.splitlines()) == delivery["rows"] == 98
    _until(client, subscription["id"], "received")
    shown = client.get(f"/v1/deliveries/{delivery['id']}").json()
    assert [each["step"] for each in shown["steps"]] == ["plan", "produce", "arrive", "confirm"]
    again = client.post(f"/v1/deliveries/{delivery['id']}/redelivery")
    assert again.json()["state"] == "planned"
    for state in ("paused", "paused", "active", "ended"):
        assert client.patch(made.headers["location"], json={"state": state}).json()["state"] == state
    refused = client.patch(made.headers["location"], json={"state": "active"})
    assert (refused.status_code, refused.json()["code"]) == (409, "subscription_step_refused")


def test_what_nobody_fetches_in_time_shows_in_the_metrics_until_it_is_fetched(
    platform: Platform, client: httpx2.Client
) -> None:
    told = {"service": "municipalities-extract", "kind": "unfetched"}
    made = client.post(MUNICIPALITIES, json={"format": "xml"})
    subscription = made.json()["id"]
    sent = _until(client, subscription, "sent")
    assert _metric(platform, "knudepunkt_delivery_alarms", **told) == 0
    long_ago = text_of(datetime.now(UTC) - timedelta(days=2))
    with open_control(platform.instance, settings_of(platform.instance)) as control, control.noting() as db:
        db.execute(update(DELIVERIES).where(DELIVERIES.c.id == sent["id"]).values(sent=long_ago))
    assert _metric(platform, "knudepunkt_delivery_alarms", **told) == 1
    waits = _metric(
        platform, "knudepunkt_delivery_oldest_waiting_seconds", service=told["service"], waits_for="receipt"
    )
    assert waits is not None
    assert waits >= 2 * 86_400
    assert client.get("/metrics").json()["code"] == "operators_only"
    printed = knudepunkt("metrics", instance=platform.instance.root).stdout
    assert value(printed.encode(), "knudepunkt_delivery_alarms", **told) == 1
    client.get("/v1/services/municipalities-extract/extract", params={"format": "xml"})
    _until(client, subscription, "received")
    assert _metric(platform, "knudepunkt_delivery_alarms", **told) == 0
    client.patch(made.headers["location"], json={"state": "ended"})


def _until(client: httpx2.Client, subscription: str, state: str) -> Any:
    def newest() -> Any:
        found = client.get("/v1/deliveries", params={"subscription": subscription}).json()["deliveries"]
        return found[0] if found else {"state": "unplanned"}

    eventually(lambda: newest()["state"] == state, newest, patience_s=120)
    return newest()


def _metric(platform: Platform, name: str, **labels: str) -> float | None:
    with operator(platform) as monitoring:
        page = monitoring.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert page.status_code == 200, page.text
    assert {each.value for each in families(page.content)["knudepunkt_part_readable"].samples} == {1}
    return value(page.content, name, **labels)


def test_what_is_anothers_is_as_if_it_did_not_exist(platform: Platform, client: httpx2.Client) -> None:
    mine = client.post(MUNICIPALITIES, json={}).json()
    with operator(platform) as other:
        assert mine["id"] in {each["id"] for each in other.get("/v1/subscriptions").json()["subscriptions"]}
    nobody = client.get("/v1/subscriptions/01890000-0000-7000-8000-000000000001")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "subscription_unknown")
    with platform.client(certificate=None) as known, httpx2.Client(verify=False) as stranger:
        assert known.get("/v1/subscriptions").status_code == 200
        assert stranger.get(f"{platform.url}/v1/subscriptions").status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"target": {"kind": "https", "url": "https://127.0.0.1/in"}}, "target_refused"),
        ({"target": {"kind": "https", "url": "https://169.254.169.254/latest"}}, "target_refused"),
        ({"target": {"kind": "https", "url": "http://a.example/"}}, "target_invalid"),
        ({"target": {"kind": "https", "url": "https://a.example/", "notify": True}, "name": "a{number}"},
         "subscription_invalid"),
        ({"kind": "circle"}, "subscription_invalid"), ({"format": "cpr"}, "format_impossible"),
        ({"kind": "circle", "format": "csv"}, "subscription_invalid"),
        ({"kind": "circle", "compression": "gzip"}, "subscription_invalid"),
        ({"target": "shelf"}, "subscription_invalid"), ({"kind": "some"}, "subscription_invalid"),
        ({"columns": []}, "subscription_invalid"), ({"columns": ["nothing"]}, "column_unknown"),
        ({"rows": {"nothing": ["1"]}}, "subscription_invalid"), ({"name": "../{number}"}, "subscription_invalid"),
        ({"schedule": "now and then"}, "subscription_invalid"), ({"confirm_within_s": 1}, "subscription_invalid"),
        ({"agreement": "another"}, "body_invalid"), ({"unknown": 1}, "subscription_invalid"), ([], "body_invalid"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_must_be_is_refused(client: httpx2.Client, body: Any, code: str) -> None:
    refused = client.post(MUNICIPALITIES, json=body)
    assert (400 <= refused.status_code < 500, refused.json()["code"]) == (True, code), refused.text


@pytest.mark.parametrize("reason", ["x\r\nforged", "\x1b[2J", "\u202eevil", "x" * 401, 5])
def test_a_reason_is_a_line_that_can_be_shown(client: httpx2.Client, reason: Any) -> None:
    made = client.post(MUNICIPALITIES, json={}).headers["location"]
    refused = client.patch(made, json={"state": "paused", "reason": reason})
    assert (refused.status_code, refused.json()["code"]) == (400, "body_invalid")
    assert client.get(made).json()["state"] == "active"


def test_a_circle_is_changed_and_shown(platform: Platform, client: httpx2.Client) -> None:
    person = json.loads((platform.stage.profile.folder / "person.json").read_text())["key"]
    added = client.post(
        CIRCLE, json={"add": [{"kind": "number", "value": person}, {"kind": "number", "value": "6101709999"},
                              {"kind": "municipality", "value": "851"}, {"kind": "age", "value": "0-17"}]}
    )  # fmt: skip
    assert added.json()["added"] == ["ADDED", "NON_EXISTING_PNR", "ADDED", "ADDED"], added.text
    twice = client.post(CIRCLE, json={"add": [{"kind": "number", "value": person}]})
    assert twice.json()["added"] == ["ALREADY_EXISTED"]
    shown = client.get(CIRCLE).json()["filters"]
    assert {"kind": "number", "value": person} in shown
    assert {"kind": "municipality", "value": "0851"} in shown
    removed = client.post(CIRCLE, json={"remove": [{"kind": "number", "value": person}]})
    assert removed.json()["removed"] == ["REMOVED"]
    assert client.delete(CIRCLE).json()["removed"] == 2
    for body in ({}, {"add": 1}, {"add": [{"kind": "number", "value": "1"}]}, {"add": [{"kind": "x"}]}):
        assert client.post(CIRCLE, json=body).status_code == 400
    # On record with whom it was about, and in no log.
    log = (platform.instance.logs / "test.log").read_text()
    assert person not in log
    assert "6101709999" not in log


def test_a_circle_is_changed_and_shown_from_the_command_line(platform: Platform, client: httpx2.Client) -> None:
    def run(*words: str, stdin: str | None = None, code: int = 0) -> Any:
        done = knudepunkt("circle", *words, instance=platform.instance.root, stdin=stdin, check=False)
        assert done.returncode == code, done.stderr
        assert person not in done.stderr + ("" if "--numbers" in words[1:2] else done.stdout)
        return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr

    person = json.loads((platform.stage.profile.folder / "person.json").read_text())["key"]
    client.delete(CIRCLE)
    # More than a call takes, with gaps: numbers of nobody, of months that no year has.
    several = "".join(f"61{number:08d}\n\n" for number in range(99_000_000, 99_001_100)) + f"{person}\n"
    told = run("add", "--numbers", "-", "--municipality", "851", "--age", "0-17", "--event", "a21", "--json",
               stdin=several, code=3)  # fmt: skip
    assert told["outcomes"] == {"ADDED": 4, "NON_EXISTING_PNR": 1_100}
    assert told["lines_of_nobody"] == list(range(1, 2_200, 2))
    kinds = [
        {"kind": "age", "value": "0-17"},
        {"kind": "event", "value": "A21"},
        {"kind": "municipality", "value": "0851"},
    ]
    assert run("show", "--json") == {"filters": kinds, "numbers": 1}
    assert "1 of them" in run("show")
    assert run("show", "--numbers", "--json")["filters"] == [*kinds, {"kind": "number", "value": person}]
    # One that cannot be is found before anything is asked.
    assert "line 2" in run("remove", "--numbers", "-", stdin=f"{person}\n{person}1\n", code=1)
    assert run("remove", "--numbers", "-", "--event", "A21", "--json", stdin=person)["outcomes"] == {"REMOVED": 2}
    assert run("remove", "--all", "--json") == {"removed": 2}
    assert "holds nobody" in run("show")
    for words in (("add",), ("add", "--numbers", "/nowhere"), ("remove", "--all", "--everybody")):
        run(*words, code=2)


def test_other_methods_and_paths(client: httpx2.Client) -> None:
    assert client.delete("/v1/subscriptions").status_code == 405
    assert client.get("/v1/deliveries/1/2/3").status_code == 404
    assert client.get("/v1/deliveries", params={"limit": "0"}).json()["code"] == "parameter_invalid"
    assert client.get("/v1/deliveries", params={"state": "lost"}).json()["code"] == "parameter_invalid"
