"""Pushing to an HTTPS endpoint: signed, with our certificate, the same key each time, and nowhere else."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from extract.delivery.faults import TargetDenied, TargetFaulty, TargetRefused, TargetUnreachable, TargetUntrusted
from extract.delivery.push_https import HttpsSender, Poster, secret_of, shown_secret, signature
from extract.delivery.targets import HttpsTarget, Reach
from kernel import PlatformError, SystemClock
from tests.delivery.builders import a_parcel, handover
from tests.delivery.receivers import LOCAL, Endpoint, client_context, cutting, https
from tests.sync.connectors.authority import Authority, new_authority

SECRET = secret_of(b"k" * 32, "a subscription")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def endpoint(authority: Authority) -> Iterator[Endpoint]:
    with https(authority) as found:
        yield found


def sender(authority: Authority, url: str, reach: Reach = LOCAL, **more: Any) -> HttpsSender:
    target = HttpsTarget(url=url, **more)
    poster = Poster(
        url=url, secret=SECRET, tls=client_context(authority), reach=reach, clock=SystemClock(), timeout_s=60
    )
    return HttpsSender(target=target, poster=poster, source="https://hub.example", pull=lambda each: f"/f/{each.name}")


def test_the_file_arrives_signed_with_our_certificate(authority: Authority, endpoint: Endpoint, tmp_path: Path) -> None:
    parcel, placing = a_parcel(tmp_path, "tekst æøå\r\n".encode() * 50_000), list[str]()
    assert sender(authority, endpoint.url).send(parcel, handover(placing=placing)) is True
    ((headers, body),) = endpoint.got
    assert hashlib.sha256(body).hexdigest() == parcel.sha256
    assert headers["Idempotency-Key"] == f'"{parcel.delivery}"'
    assert headers["Content-Digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    assert json.loads(base64.b64decode(headers["Knudepunkt-Manifest"])) == {"rows": 1}
    # As a receiver checks it, with the library of the convention.
    Webhook(shown_secret(SECRET)).verify(body, dict(headers.items()), json_parse=False)
    assert endpoint.clients[0]["subject"] == ((("commonName", "client"),),)
    assert placing == ["placed"]


def test_bytes_that_are_no_text_are_signed_too() -> None:
    body, stamp = os.urandom(1000), datetime(2031, 1, 1, tzinfo=UTC)
    whole = signature(SECRET, "id", stamp, [body])
    assert whole == signature(SECRET, "id", stamp, [body[:10], body[10:]])
    assert whole != signature(SECRET, "id", stamp, [body[:-1]])


def test_a_notice_points_to_the_file_and_holds_nothing_of_it(
    authority: Authority, endpoint: Endpoint, tmp_path: Path
) -> None:
    shelf: list[str] = []
    parcel, placing = a_parcel(tmp_path, b"0101010101", on_shelf=lambda: shelf.append("put")), list[str]()
    assert sender(authority, endpoint.url, notify=True).send(parcel, handover(placing=placing)) is False
    ((headers, body),) = endpoint.got
    event = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert (event["specversion"], event["id"], event["type"]) == (
        "1.0",
        parcel.delivery,
        "dk.knudepunkt.delivery.ready",
    )
    assert event["data"]["href"] == "/f/town.csv"
    assert b"0101010101" not in body
    assert shelf == ["put"], "it can be fetched"
    assert placing == [], "it is on record when it is fetched"


def test_an_empty_file(authority: Authority, endpoint: Endpoint, tmp_path: Path) -> None:
    sender(authority, endpoint.url).send(a_parcel(tmp_path, b""), handover())
    assert endpoint.got[0][1] == b""


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (500, TargetUnreachable), (503, TargetUnreachable), (429, TargetUnreachable), (409, TargetUnreachable),
        (401, TargetDenied), (403, TargetDenied), (400, TargetFaulty), (404, TargetFaulty), (413, TargetFaulty),
        ("https://169.254.169.254/latest", TargetRefused), ("/elsewhere", TargetRefused),
    ],
)  # fmt: skip
def test_an_endpoint_that_does_not_take_it(
    authority: Authority, endpoint: Endpoint, tmp_path: Path, answer: int | str, refusal: type[PlatformError]
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(refusal):
        sender(authority, endpoint.url).send(a_parcel(tmp_path), handover())
    assert len(endpoint.got) == 1, "nothing was followed"


def test_a_cut_is_no_delivery_and_the_next_attempt_has_the_same_key(
    authority: Authority, endpoint: Endpoint, tmp_path: Path
) -> None:
    parcel = a_parcel(tmp_path, os.urandom(2_000_000))
    with cutting(endpoint.port) as line:
        line.cuts = [500_000]
        url = f"https://localhost:{line.port}/in"
        with pytest.raises(TargetUnreachable):
            sender(authority, url).send(parcel, handover())
        sender(authority, url).send(parcel, handover())
    assert [headers["webhook-id"] for headers, _ in endpoint.got] == [parcel.delivery]


def test_an_endpoint_whose_certificate_is_of_nobody_we_trust(
    authority: Authority, endpoint: Endpoint, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = new_authority(tmp_path_factory.mktemp("other"))
    with pytest.raises(TargetUntrusted):
        sender(other, endpoint.url).send(a_parcel(tmp_path), handover())
    assert endpoint.got == []


def test_the_certificate_is_compared_with_the_name_not_with_the_address(
    authority: Authority, endpoint: Endpoint, tmp_path: Path
) -> None:
    with pytest.raises(TargetUntrusted):
        sender(authority, f"https://127.0.0.1:{endpoint.port}/in").send(a_parcel(tmp_path), handover())


def test_nothing_goes_to_an_inner_address_unless_the_operator_allows_it(
    authority: Authority, endpoint: Endpoint, tmp_path: Path
) -> None:
    with pytest.raises(TargetRefused):
        sender(authority, endpoint.url, Reach()).send(a_parcel(tmp_path), handover())
    assert endpoint.got == []


def test_a_name_that_means_another_address_a_moment_later_leads_nowhere(
    authority: Authority, endpoint: Endpoint, tmp_path: Path
) -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    reach = Reach(LOCAL.allowed, resolve=rebinding)
    sender(authority, endpoint.url, reach).send(a_parcel(tmp_path), handover())
    assert asked == ["localhost"]


def test_secrets_differ_by_subscription() -> None:
    assert secret_of(b"k", "one") != secret_of(b"k", "two")
