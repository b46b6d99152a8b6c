"""Subscriptions, deliveries and circles over the wire, as a consumer system uses them."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from runtime.client import Profile
from tests.journeys.platform import Platform, make_stage, running

pytestmark = pytest.mark.slow
MUNICIPALITIES = "/v1/services/municipalities-extract/subscriptions"
CIRCLE = "/v1/services/cpr-persons-extract/circle"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    stage = make_stage(tmp_path_factory.mktemp("rest") / "instance", persons=20)
    with stage.instance.settings_file.open("a") as settings:
        settings.write("\n[delivery]\nlook_every_s = 0.3\n")
    with running(stage) as found:
        yield found


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx2.Client]:
    with platform.client() as found:
        yield found


def operator(platform: Platform) -> Any:
    profile = Profile.of(platform.instance, "operator")
    return platform.client(profile.certificate, profile.key)


def test_a_system_subscribes_fetches_and_confirms(platform: Platform, client: httpx2.Client) -> None:
    made = client.post(MUNICIPALITIES, json={"format": "ndjson"})
    assert made.status_code == 201, made.text
    subscription = made.json()
    assert client.get(made.headers["location"]).json()["id"] == subscription["id"]
    for _ in range(900):
        found = client.get("/v1/deliveries", params={"subscription": subscription["id"]}).json()["deliveries"]
        if found and found[0]["state"] == "sent":
            break
        time.sleep(0.1)
    (delivery,) = found
    body = client.get("/v1/services/municipalities-extract/extract", params={"format": "ndjson"})
    assert len(body.content.splitlines()) == delivery["rows"] == 98
    for _ in range(600):
        if client.get(f"/v1/deliveries/{delivery['id']}").json()["state"] == "received":
            break
        time.sleep(0.1)
    shown = client.get(f"/v1/deliveries/{delivery['id']}").json()
    assert [each["step"] for each in shown["steps"]] == ["plan", "produce", "arrive", "confirm"]
    again = client.post(f"/v1/deliveries/{delivery['id']}/redelivery")
    assert again.json()["state"] == "planned"
    for state in ("paused", "paused", "active", "ended"):
        assert client.patch(made.headers["location"], json={"state": state}).json()["state"] == state
    refused = client.patch(made.headers["location"], json={"state": "active"})
    assert (refused.status_code, refused.json()["code"]) == (409, "subscription_step_refused")


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


def test_other_methods_and_paths(client: httpx2.Client) -> None:
    assert client.delete("/v1/subscriptions").status_code == 405
    assert client.get("/v1/deliveries/1/2/3").status_code == 404
    assert client.get("/v1/deliveries", params={"limit": "0"}).json()["code"] == "parameter_invalid"
    assert client.get("/v1/deliveries", params={"state": "lost"}).json()["code"] == "subscription_invalid"
