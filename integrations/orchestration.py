"""Orchestration: declared steps, each as early as it can begin, and one answer joined from theirs.

Every step is a call of its own: under the caller's own agreement for that service, counted and on record. There is one
deadline. When it is over, or a step fails, the declaration decides: a required step fails the whole, another is null
in the answer and named among the failures.
"""

import re
from typing import Any

import orjson

from integrations.asked import Asked, Next, Reply, Road
from integrations.carried import Carried
from integrations.errors import InputInvalid, SourceTooSlow, StepFailed
from integrations.passthrough import JSON, ensure_whole, worked_out
from kernel import CallerMistake, PlatformError
from schemas import Orchestration, Step

INPUT = "input"


def orchestration(carried: Carried) -> Road:
    live, desk = carried.service.live, carried.desk
    assert isinstance(live, Orchestration)  # noqa: S101  as the descriptor's review holds
    ensure_whole(carried)
    known: dict[str, Any] = {INPUT: _input(live, carried.asked.document())}
    parts: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    ends = desk.monotonic() + live.deadline_s
    waiting, running = {step.name: step for step in live.steps}, dict[str, Step]()
    while waiting or running:
        while ready := [step for step in waiting.values() if step.after <= known.keys()]:
            for step in ready:
                del waiting[step.name]
                asked = _asked(step, known)
                if asked is None:
                    # Nothing to ask about: as when the person that a step before looked up is not there.
                    known[step.name] = None
                    continue
                running[step.name] = step
                yield carried.beside(step.name, desk.services[step.service], asked)
        if not running:
            break
        ended = yield Next(max(0.0, ends - desk.monotonic()))
        if ended is None:
            _over(carried, [*running.values(), *waiting.values()], known, failures)
            break
        name, outcome = ended
        step = running.pop(name)
        if isinstance(outcome, PlatformError):
            _failed(carried, step, outcome, known, failures)
        else:
            _done(carried, step, outcome, known, parts, failures)
    answer = worked_out(live.answer, known)
    body = {"answer": answer, "parts": parts, "failures": failures, "trace": carried.call.trace}
    return Reply(fields=JSON, body=orjson.dumps(body, option=orjson.OPT_UTC_Z), rows=len(parts))


def _input(live: Orchestration, body: dict[str, Any]) -> dict[str, str]:
    """Raises InputInvalid, naming the field and not its value."""
    remedy = f"send {', '.join(live.input)}"
    if len(body) != len(live.input) or body.keys() != live.input.keys():
        raise InputInvalid("the body has not just the fields that the service takes", remedy=remedy, rule="input")
    for name, pattern in live.input.items():
        if not isinstance(body[name], str) or not re.fullmatch(pattern, body[name], re.ASCII):
            raise InputInvalid(f"{name} does not have its shape", remedy=f"write it as {pattern}", rule=f"input.{name}")
    return body


def _asked(step: Step, known: dict[str, Any]) -> Asked | None:
    """What a step asks; None when its expression gives nothing to ask about."""
    value = worked_out(step.key or step.body, known) if step.key or step.body else None  # type: ignore[arg-type]
    if value is None:
        return None
    body = {"key": value} if step.key is not None else value
    return Asked(method="POST", headers={"content-type": "application/json"}, body=orjson.dumps(body))


def _done(
    carried: Carried, step: Step, reply: Reply, known: dict[str, Any], parts: dict[str, dict[str, Any]],
    failures: dict[str, str],
) -> None:  # fmt: skip
    part: dict[str, Any] = {"service": step.service, "by": reply.by}
    if reply.info is not None:
        part |= {"snapshot": reply.info.snapshot, "as_of": reply.info.as_of}
    if reply.status == 404:
        known[step.name] = None
    elif reply.status >= 400:
        refusal = _step_failed(carried, step, f"status {reply.status}")
        _failed(carried, step, refusal, known, failures)
        return
    else:
        try:
            known[step.name] = reply.document()
        except ValueError:
            refusal = _step_failed(carried, step, "an answer that is not JSON")
            _failed(carried, step, refusal, known, failures)
            return
    parts[step.name] = part


def _failed(
    carried: Carried, step: Step, refusal: PlatformError, known: dict[str, Any], failures: dict[str, str]
) -> None:
    """Raises when the answer needs the step: what the caller can mend as it is, the rest as StepFailed."""
    if step.required:
        if isinstance(refusal, CallerMistake | StepFailed):
            raise refusal
        raise _step_failed(carried, step, refusal.code, refusal.retry_after_s)
    known[step.name] = None
    failures[step.name] = refusal.code


def _over(carried: Carried, steps: list[Step], known: dict[str, Any], failures: dict[str, str]) -> None:
    """The time is over, and these steps are not done. Raises SourceTooSlow when one of them is required."""
    for step in steps:
        if step.required:
            raise SourceTooSlow(
                f"the step {step.name} of {carried.service.name} was not done in time",
                remedy="call again later",
                rule=f"service.{carried.service.name}.deadline",
                owner="the operator",
                retry_after_s=5,
            )
        known[step.name] = None
        failures[step.name] = SourceTooSlow.code


def _step_failed(carried: Carried, step: Step, why: str, retry_after_s: int | None = None) -> StepFailed:
    return StepFailed(
        f"the step {step.name} of {carried.service.name} failed: {why}",
        remedy="call again later; the trace id opens the decision on each step",
        rule=f"service.{carried.service.name}.steps.{step.name}",
        owner="the operator",
        retry_after_s=retry_after_s or 5,
    )
