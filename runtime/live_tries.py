"""Of the demo's list: one call of each way in which a service can be answered other than from the mirror."""

import json
import shlex
from collections.abc import Callable
from typing import Any

from runtime.client import Profile
from runtime.outcome import Outcome, Try


def live_tries(profile: Profile, with_certificate: str, url: str) -> tuple[Try, ...]:
    """with_certificate   curl as the demo's consumer system"""
    json_kind = "-H 'Content-Type: application/json'"
    resident, note = (shlex.quote(str(profile.folder / f"{name}.json")) for name in ("resident", "note"))
    return (
        Try(
            "Redirect: be told where a service is",
            f"{with_certificate} -o /dev/null -D - {url}/korsbaek-places/call",
            _is_redirected,
        ),
        Try(
            "Pass-through: ask the municipality's own system, and see who answered",
            f"{with_certificate} -i {json_kind} --data @{resident} {url}/korsbaek-residents/call",
            _came_from_the_source,
        ),
        Try(
            "Orchestration: three services in one answer",
            f"{with_certificate} {json_kind} --data @{resident} {url}/korsbaek-overview/call",
            _says(lambda document: bool(document["answer"]["municipality"]) and not document["failures"]),
        ),
        Try(
            "Component: municipality and age, and nothing else of the person",
            f"{with_certificate} {json_kind} --data @{resident} {url}/cpr-person-municipality/call",
            _says(lambda document: isinstance(document["age"], int) and bool(document["municipality_code"])),
        ),
        Try(
            "Update: write a note, whose master is the platform",
            f"sed s/demo/demo-$(date +%s)/ {note} | {with_certificate} -f --retry 9 -X PUT {json_kind} --data @- "
            f"{url}/korsbaek-notes-update/records",
            _says(lambda document: document["record"]["text"] == "Ring i morgen" and document["snapshot"] > 0),
        ),
    )


def _is_redirected(outcome: Outcome) -> str | None:
    lines = outcome.out.lower().splitlines()
    if not lines or " 307" not in lines[0]:
        return "the answer is no redirection"
    return None if any(line.startswith("location: https://") for line in lines) else "it does not say where to"


def _came_from_the_source(outcome: Outcome) -> str | None:
    head, _, body = outcome.out.replace("\r", "").partition("\n\n")
    if "knudepunkt-answered-by: source" not in head.lower():
        return "the source did not answer"
    if "server-timing:" not in head.lower():
        return "it does not say what took how long"
    return None if "resident" in body else "the answer is not about a resident"


def _says(right: Callable[[Any], bool]) -> Callable[[Outcome], str | None]:
    def holds(outcome: Outcome) -> str | None:
        try:
            return None if right(json.loads(outcome.out)) else "the answer says something else"
        except (ValueError, KeyError, TypeError):
            return "the answer is not what the service promises"

    return holds
