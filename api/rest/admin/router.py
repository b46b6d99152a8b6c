"""From a path below /v1/admin to what runs: who asks, the body, the thread, the answer."""

import re
from collections.abc import Iterable
from functools import partial
from typing import Final

from api.answer import Answer
from api.doors import Doors
from api.errors import MethodNotAllowed, RouteUnknown
from api.request import Request
from api.rest.admin.errand import Errand, answer_of
from api.rest.admin.me import me as about_me
from api.rest.admin.table import ROUTES, AdminRoute
from api.rest.admin.who import actor_of, anybody
from api.threads import in_thread
from api.visit import refusal_on_record
from control import ControlStore
from control.repeats import Kept, Repeats
from kernel import PlatformError

PREFIX: Final = "/v1/admin/"
_ID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORMS: Final = {"fingerprint": r"[0-9a-f]{64}"}


class AdminRoutes:
    """The administration's paths. Refusals are on record like those of data calls, so that a trace id opens them."""

    def __init__(self, doors: Doors, routes: Iterable[AdminRoute] = ROUTES) -> None:
        self._doors = doors
        self._paths: dict[re.Pattern[str], dict[str, AdminRoute]] = {}
        for route in routes:
            self._paths.setdefault(_pattern(route.path), {})[route.method] = route

    async def __call__(self, request: Request) -> Answer:
        """Raises whatever the request is refused with."""
        try:
            return await self._answered(request)
        except PlatformError as error:
            raise refusal_on_record(self._doors, request, error) from None

    async def _answered(self, request: Request) -> Answer:
        doors = self._doors
        if doors.control is None:
            raise _nothing()
        route, ids = self._found(request)
        # Who asks comes first: nobody's body is waited for.
        actor = anybody(request) if route.open else await in_thread(lambda: actor_of(doors, request))
        body = await request.body() if request.method in {"POST", "PATCH"} else b""
        answer = await in_thread(partial(_run, doors.control, route, Errand(doors, request, actor, ids, body)))
        answer.headers.append((b"knudepunkt-trace", request.trace.encode()))
        return answer

    def _found(self, request: Request) -> tuple[AdminRoute, dict[str, str]]:
        for pattern, methods in self._paths.items():
            if found := pattern.fullmatch(request.path):
                route = methods.get("GET" if request.method == "HEAD" else request.method)
                if route is None:
                    raise MethodNotAllowed(tuple(sorted(methods)))
                return route, found.groupdict()
        raise _nothing()


async def me(doors: Doors, request: Request) -> Answer:
    """GET /v1/me, for systems and for users."""
    control = doors.control
    if control is None:
        raise _nothing()
    try:
        request.parameters()
        answer = await in_thread(lambda: about_me(doors, control, request))
    except PlatformError as error:
        raise refusal_on_record(doors, request, error) from None
    answer.headers.append((b"knudepunkt-trace", request.trace.encode()))
    return answer


def _run(control: ControlStore, route: AdminRoute, errand: Errand) -> Answer:
    if route.method != "GET":
        errand.request.parameters()
    once = errand.once() if route.method == "POST" else None
    if once is None:
        return route.run(errand)
    repeats = Repeats(control)
    if (kept := repeats.answered(once)) is not None:
        return answer_of(kept.body.encode(), status=kept.status, location=kept.location)
    answer = route.run(errand)
    if isinstance(answer.body, bytes):
        location = next((value.decode() for name, value in answer.headers if name == b"location"), None)
        repeats.keep(once, Kept(answer.status, location, answer.body.decode()))
    return answer


def _pattern(path: str) -> re.Pattern[str]:
    """`/v1/admin/users/{user}` as a pattern: what does not look like an id leads nowhere."""
    pieces = re.split(r"\{([a-z]+)\}", path)
    names = (f"(?P<{name}>{_FORMS.get(name, _ID)})" for name in pieces[1::2])
    return re.compile(
        re.escape(pieces[0])
        + "".join(f"{name}{re.escape(rest)}" for name, rest in zip(names, pieces[2::2], strict=True))
    )


def _nothing() -> RouteUnknown:
    return RouteUnknown("there is nothing under this path", remedy="see /docs and /openapi.json")
