"""A page for each error code, made from the error tree, so that `type` in a problem document leads somewhere."""

from html import escape
from typing import Final

from api.answer import Answer, html_answer
from api.doors import Doors
from api.errors import RouteUnknown
from api.request import Request
from kernel import (
    CallerMistake,
    HouseFault,
    NotAllowed,
    NotFound,
    NotIdentified,
    PlatformError,
    RequestInvalid,
    TryAgainLater,
)

_WHAT_TO_DO: Final[dict[type[PlatformError], str]] = {
    RequestInvalid: "Change the request; the same again will be refused again.",
    NotIdentified: "Call with a certificate that is valid and bound to your system.",
    NotAllowed: "Have the agreement made, approved or extended by the municipality, or ask for what it covers.",
    NotFound: "Check the name; the catalogue (GET /v1/catalogue) lists what there is.",
    CallerMistake: "Change the call; the same again will be refused again.",
    TryAgainLater: "Call again later; retry_after says how many seconds to wait.",
    HouseFault: "Report it with the trace id; the fault is ours.",
}


def error_tree() -> dict[str, type[PlatformError]]:
    """Every error that a caller may meet, by code. Of rooms that use the same code, one stands for all."""
    found: dict[str, type[PlatformError]] = {}
    waiting: list[type[PlatformError]] = [CallerMistake, TryAgainLater, HouseFault]
    while waiting:
        error = waiting.pop(0)
        found.setdefault(error.code, error)
        waiting += error.__subclasses__()
    return dict(sorted(found.items()))


async def page(doors: Doors, request: Request) -> Answer:
    """Raises RouteUnknown for a code that does not exist."""
    del doors
    request.parameters()
    error = error_tree().get(request.last_segment.decode("ascii", "replace"))
    if error is None:
        raise RouteUnknown("there is no such error code", remedy="see /problems for all of them")
    meaning = (error.__dict__.get("__doc__") or "").partition("\n\n")[0]
    rows = {"Code": error.code, "Status": str(error.status), "Meaning": meaning, "What to do": _what_to_do(error)}
    lines = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows.items() if text)
    body = f"<dl>{lines}</dl><p>The field <code>remedy</code> of the answer says what to do about the very call.</p>"
    return html_answer(_html(error.title, body))


async def pages(doors: Doors, request: Request) -> Answer:
    del doors
    request.parameters()
    lines = "".join(
        f'<li><a href="/problems/{code}"><code>{code}</code></a> {error.status} {escape(error.title)}</li>'
        for code, error in error_tree().items()
    )
    return html_answer(_html("Error codes", f"<ul>{lines}</ul>"))


async def docs(doors: Doors, request: Request) -> Answer:
    """A list of what can be called, for whoever opens the address in a browser."""
    request.parameters()
    lines = "".join(
        f'<li><a href="/v1/services/{service.name}"><code>{service.name}</code></a> {escape(service.title["en"])}. '
        f"{escape(service.description['en'])}</li>"
        for service in doors.registers.services
    )
    links = (
        '<p><a href="/openapi.json">OpenAPI 3.1</a>, <a href="/v1/catalogue">catalogue</a>, '
        '<a href="/problems">error codes</a>, <a href="/health/ready">health</a></p>'
    )
    return html_answer(_html("Knudepunkt", f"{links}<ul>{lines}</ul>"))


def _what_to_do(error: type[PlatformError]) -> str:
    return next((text for branch, text in _WHAT_TO_DO.items() if issubclass(error, branch)), "")


def _html(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<h1>{escape(title)}</h1>{body}</html>\n"
    )
