"""Who is not let in: each refusal has a status, a code that says why, what to do next, and a line in the ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from control import Agreements, ControlStore, OrganisationKind, ServiceTerms, TestAuthority
from kernel import ServiceName, SystemClock, SystemId, Window
from runtime.demo import MUNICIPALITY, SUPPLIER, terms
from runtime.environment import settings_of
from runtime.migrated import open_control
from schemas import SHIPPED, load_registers
from tests.journeys.platform import Platform, another_profile
from tests.waiting import eventually

LOOKUP = "/v1/services/municipalities/lookup"
BODY = {"key": "0851"}


def control_of(platform: Platform) -> ControlStore:
    return open_control(platform.instance, settings_of(platform.instance))


def in_ledger(platform: Platform, code: str, since: datetime) -> list[dict[str, object]]:
    moment = since.strftime("%Y-%m-%d %H:%M:%S.%f")
    return platform.sql(f"select code, status from calls where code = '{code}' and time >= timestamp '{moment}'")


def issued(
    platform: Platform, tmp_path: Path, *, authority: Path | None = None, name: str = "demo-2", **choices: object
) -> tuple[Path, Path]:
    made = TestAuthority.open_or_create(authority or platform.instance.authority).issue_system(
        *SUPPLIER,
        name,
        **choices,  # type: ignore[arg-type]
    )
    return another_profile(platform.stage.profile, tmp_path / name, made.cert_pem, made.key_pem)


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"]
    assert answer.json()["instance"].endswith(answer.headers["knudepunkt-trace"])


def test_without_a_certificate(platform: Platform) -> None:
    began = datetime.now(UTC)
    with platform.client(certificate=Path()) as http:
        refused(http.post(LOOKUP, json=BODY), 401, "certificate_missing")
    assert in_ledger(platform, "certificate_missing", began)


def test_with_a_certificate_of_another_authority(platform: Platform, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    files = issued(platform, tmp_path, authority=tmp_path / "elsewhere")
    with platform.client(*files) as http, pytest.raises(httpx2.TransportError):
        http.post(LOOKUP, json=BODY)
    # Nobody is answered who could wait for the line.
    eventually(lambda: in_ledger(platform, "certificate_untrusted", began))


def test_with_an_expired_certificate(platform: Platform, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    past = datetime.now(UTC) - timedelta(days=100)
    with platform.client(*issued(platform, tmp_path, days=30, not_before=past)) as http:
        refused(http.post(LOOKUP, json=BODY), 401, "certificate_expired")
    assert in_ledger(platform, "certificate_expired", began)


def test_with_a_certificate_that_is_bound_to_no_system(platform: Platform, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    with platform.client(*issued(platform, tmp_path)) as http:
        refused(http.post(LOOKUP, json=BODY), 401, "certificate_unknown")
    assert in_ledger(platform, "certificate_unknown", began)


def bound_system(platform: Platform, tmp_path: Path, name: str) -> tuple[SystemId, tuple[Path, Path]]:
    files = issued(platform, tmp_path, name=name)
    with control_of(platform) as control:
        supplier = control.find_organisation(SUPPLIER[0])
        assert supplier is not None
        system = control.add_system(supplier.id, name, purpose="a test", contact="nobody")
        control.bind_certificate(system.id, files[0].read_bytes(), trust=platform.instance.trust)
    with platform.client(*files) as http:
        eventually(lambda: http.post(LOOKUP, json=BODY).json()["code"] != "certificate_unknown")
    return system.id, files


def test_without_an_agreement(platform: Platform, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    _, files = bound_system(platform, tmp_path, "no-agreement")
    with platform.client(*files) as http:
        refused(http.post(LOOKUP, json=BODY), 403, "agreement_missing")
    assert in_ledger(platform, "agreement_missing", began)


def test_with_the_agreement_of_another_system(platform: Platform, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    _, files = bound_system(platform, tmp_path, "borrower")
    with platform.client(*files) as http:
        answer = http.post(LOOKUP, json=BODY, headers={"Knudepunkt-Agreement": platform.stage.agreement})
    refused(answer, 403, "agreement_foreign")
    assert in_ledger(platform, "agreement_foreign", began)


def test_outside_the_columns_of_the_agreement(platform: Platform, tmp_path: Path) -> None:
    system, files = bound_system(platform, tmp_path, "narrow")
    narrow = replace(
        terms(), services={ServiceName("municipalities"): ServiceTerms(columns=frozenset({"code", "name"}))}
    )
    with control_of(platform) as control:
        municipality = control.find_organisation(MUNICIPALITY[0])
        assert municipality is not None
        assert municipality.kind is OrganisationKind.MUNICIPALITY
        agreements = Agreements(control, load_registers(SHIPPED))
        agreements.request(municipality.id, system, narrow, Window(SystemClock().now()))
    with platform.client(*files) as http:
        eventually(lambda: http.post(LOOKUP, json=BODY).status_code == 200)
        assert sorted(http.post(LOOKUP, json=BODY).json()["record"]) == ["code", "name"]
        refused(http.post(LOOKUP, json=BODY | {"columns": ["population"]}), 403, "columns_not_covered")


def test_a_certificate_that_is_revoked_ends_its_calls_on_an_open_connection(platform: Platform, tmp_path: Path) -> None:
    _, files = bound_system(platform, tmp_path, "leaver")
    with platform.client(*files) as http:
        assert http.post(LOOKUP, json=BODY).json()["code"] == "agreement_missing"
        with control_of(platform) as control:
            from cryptography.x509 import load_pem_x509_certificate

            from control import fingerprint_of

            control.revoke_certificate(fingerprint_of(load_pem_x509_certificate(files[0].read_bytes())))
        eventually(lambda: http.post(LOOKUP, json=BODY).json()["code"] == "certificate_revoked")
        refused(http.post(LOOKUP, json=BODY), 401, "certificate_revoked")


def test_what_is_public_needs_no_certificate(platform: Platform) -> None:
    with platform.client(certificate=Path()) as http:
        for path in ("/v1/catalogue", "/openapi.json", "/health/live", "/health/ready"):
            assert http.get(path).status_code == 200, path
