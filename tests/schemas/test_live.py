"""What a live service declares: what is read from it, and what is wrong with it, by line."""

from pathlib import Path
from typing import Any

import pytest

from schemas import Joining, JoiningInvalid, Orchestration, PassThrough, load_registers
from tests.schemas.builders import OTHER_UUID, a_service, errors, write

STEPS = {"ship": {"service": "ships", "key": "input.imo"}}
JOINED = {"input": {"imo": "[0-9]{7}"}, "steps": STEPS, "answer": "{weight: ship.tonnage}"}
PASSED = {"source": "harbour", "path": "/ships", "methods": ["POST"]}


def passing(**changes: Any) -> dict[str, Any]:
    return {"integration_type": "pass-through", "pass_through": {**PASSED, **changes}}


def joined(**changes: Any) -> dict[str, Any]:
    return {"integration_type": "orchestration", "orchestration": {**JOINED, **changes}}


def found(folder: Path, **changes: Any) -> list[str]:
    made = a_service(name="live", uuid=OTHER_UUID, dataset=None, service_type="function", **changes)
    return [f"{each.where}: {each.problem}" for each in errors(write(folder / "ships", services=(a_service(), made)))]


def test_a_pass_through_has_the_deadline_of_its_class_unless_it_says_otherwise(tmp_path: Path) -> None:
    made = a_service(
        name="live", uuid=OTHER_UUID, dataset=None, service_type="function", integration_type="pass-through",
        pass_through=PASSED,
    )  # fmt: skip
    live = load_registers(write(tmp_path / "ships", services=(a_service(), made))).service("live").live
    assert isinstance(live, PassThrough)
    assert (live.deadline_s, live.retries, live.hedge_after_s) == (1.0, 0, None)


def test_steps_wait_for_those_that_they_name(tmp_path: Path) -> None:
    steps = {**STEPS, "again": {"service": "ships", "key": "ship.sister && join('', [input.imo, ship.sister])"}}
    made = a_service(
        name="live", uuid=OTHER_UUID, dataset=None, service_type="function", integration_type="orchestration",
        orchestration={**JOINED, "steps": steps},
    )  # fmt: skip
    live = load_registers(write(tmp_path / "ships", services=(a_service(), made))).service("live").live
    assert isinstance(live, Orchestration)
    assert {step.name: step.after for step in live.steps} == {"ship": frozenset(), "again": frozenset({"ship"})}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"integration_type": "redirect"}, "there is no section `redirect`"),
        (
            {"integration_type": "redirect", "redirect": {"source": "x"}, "component": {"name": "cvr-number-check"}},
            "is not of a service",
        ),
        ({"integration_type": "component", "component": {"name": "cpr-number"}}, "there is no component"),
        ({"integration_type": "component", "component": {"name": "master-records"}}, "is about a dataset"),
        (passing(path="/a/../b"), "no dots"),
        (passing(path="//evil.invalid"), "pattern"),
        (passing(path="/a?b=c"), "pattern"),
        (passing(methods=["CONNECT"]), "methods"),
        (passing(request_headers=["cookie"]), "cookie belongs"),
        (passing(request_headers=["x-forwarded-for"]), "belongs"),
        (passing(response_headers=["set-cookie"]), "belongs"),
        (passing(fallback={"key": "imo"}), "only a lookup"),
        (passing(hedge_after_s=0.1), "may be repeated"),
        (passing(subject="a["), "subject"),
        (joined(answer="{a: nobody.x}"), "names nobody"),
        (joined(answer="@"), "begins with everything"),
        (
            joined(steps={"a": {"service": "ships", "key": "b.x"}, "b": {"service": "ships", "key": "a.x"}, **STEPS}),
            "the steps a, b wait for each other",
        ),
        (joined(steps={"ship": {"service": "boats", "key": "input.imo"}}), "no service is called 'boats'"),
        (joined(steps={"ship": {"service": "ships", "body": "input"}}), "ships does not offer call"),
        (joined(steps={"ship": {"service": "live", "body": "input"}}), "live is a orchestration"),
        (joined(input={"imo": "["}), "no regular expression"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_when_it_is_loaded(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert any(told in each for each in found(tmp_path, **changes)), found(tmp_path, **changes)


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("a.b.c", {"a"}), ("{x: a.b, y: c[0].d}", {"a", "c"}), ("a[?b == c].d", {"a"}), ("a | b", {"a"}),
        ("sort_by(a, &b)", {"a"}), ("a || b && !c", {"a", "b", "c"}), ("join(',', a[*].b)", {"a"}), ("`1`", set()),
        ("a[].b", {"a"}), ("[a, b.c]", {"a", "b"}), ("a.{x: b}", {"a"}), ("a == b", {"a", "b"}), ("a[1:2]", {"a"}),
        ("a.*.b", {"a"}),
    ],
)  # fmt: skip
def test_an_expression_tells_what_it_begins_with(text: str, roots: set[str]) -> None:
    assert Joining.of(text).roots == roots


@pytest.mark.parametrize("text", ["", "a[", "a.", "f(", "(" * 5_000, "x" * 3_000])
def test_what_is_no_expression_says_so(text: str) -> None:
    with pytest.raises(JoiningInvalid):
        Joining.of(text)
