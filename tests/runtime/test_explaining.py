"""Explain on an instance: what every room would say about a call."""

import pytest

from control import Agreements, OrganisationKind, ServiceTerms, Terms
from control.errors import Unregistered
from kernel import ServiceName, Window
from runtime.clock import CLOCK
from runtime.environment import settings_of
from runtime.explaining import Asked, explain_call
from runtime.founding import found_instance
from runtime.instance import Instance
from runtime.migrated import open_control
from schemas import SHIPPED, load_registers


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    found = found_instance(tmp_path_factory.mktemp("instance") / "i", environment="test")
    with open_control(found, settings_of(found)) as store:
        owner = store.add_organisation(OrganisationKind.SUPPLIER, "12345678", "Fagsystemer ApS")
        whose = store.add_organisation(OrganisationKind.MUNICIPALITY, "11111111", "Nordby")
        system = store.add_system(owner.id, "care", purpose="x", contact="x")
        terms = Terms(
            services={ServiceName("cpr-persons"): ServiceTerms(columns=frozenset({"pnr", "status"}))},
            purpose="x", legal_basis="x", reason="x",
        )  # fmt: skip
        Agreements(store, load_registers(SHIPPED)).request(whose.id, system.id, terms, Window(CLOCK.now()))
    return found


def codes(instance: Instance, **asked: object) -> list[str]:
    chosen = {"system": "care", "service": "cpr-persons"} | asked
    told = explain_call(instance, settings_of(instance), Asked(**chosen))  # type: ignore[arg-type]
    assert told["admitted"] == (not told["refusals"])
    return [each["code"] for each in told["refusals"]]


def test_each_reason_is_told_at_once(instance: Instance) -> None:
    assert codes(instance) == ["certificate_unknown"]
    assert codes(instance, keys=5_000, columns=("name",)) == [
        "certificate_unknown", "too_many_keys", "columns_not_covered",
    ]  # fmt: skip
    assert codes(instance, municipality="22222222") == ["certificate_unknown", "agreement_missing"]


def test_who_is_not_registered_is_said(instance: Instance) -> None:
    with pytest.raises(Unregistered):
        codes(instance, system="nobody")
