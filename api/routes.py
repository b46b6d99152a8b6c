"""Paths and methods. Paths of known services are looked up in one dictionary; the rest is matched by its shape."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from api.answer import Answer
from api.doors import Doors
from api.errors import MethodNotAllowed, OperationUnknown, RouteUnknown
from api.identity import identify
from api.lasting import Permission, while_allowed
from api.offer import Offer
from api.problem import problem
from api.request import ClientGone, Request
from api.rest import (
    admin,
    catalogue,
    circle,
    copies,
    decisions,
    explain,
    extract,
    extracts,
    files,
    health,
    live,
    lookup,
    openapi,
    operations,
    problems,
    search,
    sharing_tokens,
    subscriptions,
)
from api.sharing.refusals import sharing_problem
from api.sharing.routes import PREFIX as SHARING
from api.sharing.routes import SharingRoutes
from api.soap.faces import soap_doors
from api.stopwatch import server_timing
from api.tokens.desk import PATH as TOKEN
from api.tokens.route import TokenRoute
from api.unexpected import unexpected
from api.visit import Visit, refusal_on_record
from extract import CIRCLE_KEY
from kernel import Caller, Operation, PlatformError
from schemas import Dataset, Service

_Visit = TypeVar("_Visit", bound=Visit)
Route = Callable[[Request], Awaitable[Answer]]
DataRoute = Callable[[Visit], Awaitable[Answer]]
PublicRoute = Callable[[Doors, Request], Awaitable[Answer]]

_PUBLIC: Final[Mapping[str, PublicRoute]] = {
    "/": problems.docs,
    "/docs": problems.docs,
    "/problems": problems.pages,
    "/v1/catalogue": catalogue.catalogue,
    "/v1/services": catalogue.moved,
    "/.well-known/api-catalog": catalogue.api_catalog,
    "/v1/operations/status": operations.status,
    operations.METRICS: operations.metrics,
    "/v1/me": admin.me,
    "/.well-known/knudepunkt-signing-key.pem": files.signing_key,
    "/health/live": health.live,
    "/health/ready": health.ready,
}


@dataclass(frozen=True, slots=True)
class Methods:
    """What one path takes. HEAD is answered wherever GET is; its body is dropped on the way out."""

    routes: Mapping[str, Route]

    async def __call__(self, request: Request) -> Answer:
        """Raises MethodNotAllowed."""
        route = self.routes.get(request.method)
        if route is None:
            raise MethodNotAllowed(tuple(sorted(self.routes)))
        return await route(request)


class Routes:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._exact: dict[str, Methods] = {path: self._public(route) for path, route in _PUBLIC.items()}
        self._exact["/openapi.json"] = self._public(openapi.serve(doors))
        self._exact[explain.PATH] = Methods({"POST": partial(explain.explain, doors)})
        self._admin = admin.AdminRoutes(doors)
        self._tokens = sharing_tokens.TokenRoutes(doors)
        self._deliveries = subscriptions.DeskRoutes(doors)
        self._sharing = None if doors.sharing is None else SharingRoutes(doors, doors.sharing)
        # Of paths that end in a name that the caller chooses: what comes before it.
        self._prefixed: dict[str, Methods] = {
            "/problems/": self._public(problems.page),
            "/v1/catalogue/": self._public(catalogue.entry),
            "/v1/services/": self._public(catalogue.moved),
            "/v1/decisions/": self._public(decisions.decision),
        }
        self._live = live.Live(doors)
        for service in doors.registers.services:
            if service.live is not None:
                self._add_live(service)
            elif service.dataset is not None:
                self._add(service, doors.registers.dataset(service.dataset))
        if doors.tokens is not None:
            self._exact[TOKEN] = Methods({"POST": TokenRoute(doors, doors.tokens).exchange})
        for path, face in soap_doors(doors).items():
            self._exact[path] = Methods({"GET": face.describe, "HEAD": face.describe, "POST": face.call})

    def find(self, path: str) -> Route:
        """Raises RouteUnknown; and for a path of a service, what the catalogue says of that service."""
        found = self._exact.get(path)
        if found is None:
            if path.startswith(admin.PREFIX):
                return self._admin
            if self._sharing is not None and path.startswith(SHARING):
                return self._sharing
            if path == sharing_tokens.BASE or path.startswith(f"{sharing_tokens.BASE}/"):
                return self._tokens
            if path.startswith(subscriptions.PREFIXES):
                return self._deliveries
            prefix, _, name = path.rpartition("/")
            found = self._prefixed.get(f"{prefix}/") if name else None
        return found or self._missing(path)

    def refusal(self, error: PlatformError, request: Request) -> Answer:
        """What a caller is told whom nobody below has told."""
        shared = self._sharing is not None and request.path.startswith(SHARING)
        return (sharing_problem if shared else problem)(error, request.trace)

    def _add(self, service: Service, dataset: Dataset) -> None:
        base = f"/v1/services/{service.name}"
        offer = Offer.of(service, dataset, mastered=dataset.id in self._doors.registers.mastered)

        def data(operation: Operation, route: DataRoute) -> Route:
            async def guarded(request: Request) -> Answer:
                return await on_record(Visit(self._doors, request, offer, operation), route)

            return guarded

        if Operation.LOOKUP in service.operations:
            self._exact[f"{base}/lookup"] = Methods({"POST": data(Operation.LOOKUP, lookup.lookup)})
            self._prefixed[f"{base}/records/"] = _readable(data(Operation.RECORD, lookup.record))
        if Operation.SEARCH in service.operations:
            self._exact[f"{base}/search"] = Methods({"POST": data(Operation.SEARCH, search.search)})
        if Operation.EXTRACT in service.operations:
            bulk = partial(data, Operation.EXTRACT)
            self._exact[f"{base}/extract"] = _readable(bulk(extract.extract))
            self._exact[f"{base}/extract.xsd"] = _readable(bulk(extract.schema))
            self._exact[f"{base}/extract/plan"] = _readable(bulk(extracts.explain))
            self._exact[f"{base}/extracts"] = _also(_readable(bulk(extracts.listing)), "POST", bulk(extracts.begin))
            self._prefixed[f"{base}/extracts/"] = _also(_readable(bulk(extracts.look)), "DELETE", bulk(extracts.cancel))
            self._exact[f"{base}/copy/proof"] = Methods({"POST": bulk(copies.proof)})
            self._exact[f"{base}/copy/rows"] = Methods({"POST": bulk(copies.rows)})
            self._exact[f"{base}/files"] = _readable(bulk(files.listing))
            self._prefixed[f"{base}/files/"] = _readable(bulk(files.file))
            self._exact[f"{base}/subscriptions"] = Methods({"POST": bulk(subscriptions.subscribe)})
        if Operation.EXTRACT in service.operations and dataset.key == CIRCLE_KEY:
            seen, changed, cleared = (
                data(Operation.EXTRACT, route) for route in (circle.shown, circle.changed, circle.cleared)
            )
            self._exact[f"{base}/circle"] = Methods({"GET": seen, "HEAD": seen, "POST": changed, "DELETE": cleared})

    def _add_live(self, service: Service) -> None:
        base, offer = f"/v1/services/{service.name}", self._live.offer(service)

        def data(operation: Operation, route: live.LiveRoute) -> Route:
            async def guarded(request: Request) -> Answer:
                return await on_record(live.LiveVisit(self._doors, request, offer, operation), route)

            return guarded

        for path, methods, operation, route in self._live.routes(service):
            self._exact[f"{base}/{path}"] = Methods(dict.fromkeys(methods, data(operation, route)))

    async def close(self) -> None:
        """Let go of what was opened for the sake of calls. On the loop that they came by."""
        await self._live.close()

    def _public(self, route: PublicRoute) -> Methods:
        async def with_doors(request: Request) -> Answer:
            return await route(self._doors, request)

        return _readable(with_doors)

    def _missing(self, path: str) -> Methods:
        _, _, below = path.partition("/v1/services/")
        name, _, operation = below.partition("/")
        if not path.startswith("/v1/services/") or not operation:
            raise RouteUnknown("there is nothing under this path", remedy="see /docs and /openapi.json")

        async def refuse(request: Request) -> Answer:
            caller: Caller | None = None
            try:
                # As on every other path of a service: who calls comes first.
                caller = identify(request.peer, self._doors.policy(), self._doors.trust(), request.received)
                service = self._doors.registers.service(name)
            except PlatformError as error:
                raise refusal_on_record(self._doors, request, error, caller=caller) from None
            offered = ", ".join(sorted(each.value for each in service.operations)) or "no operation yet"
            unknown = OperationUnknown(
                f"the service {service.name} does not offer this", remedy=f"it offers {offered}; see /openapi.json"
            )
            raise refusal_on_record(self._doors, request, unknown, service=service.name, caller=caller)

        return Methods(dict.fromkeys(("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"), refuse))


async def on_record(visit: _Visit, route: Callable[[_Visit], Awaitable[Answer]]) -> Answer:
    """Run a route that hands out data; whatever it refuses is on record before the caller is told."""
    try:
        answer = await route(visit)
    except PlatformError as error:
        answer = problem(visit.refused(error), visit.request.trace)
    except ClientGone:
        raise
    except Exception as error:
        answer = problem(visit.refused(unexpected(error, visit.request)), visit.request.trace)
    if visit.grant is not None and not isinstance(answer.body, bytes):
        answer.body = while_allowed(visit.request, Permission(visit, visit.grant).ensure, answer.body)
    answer.headers += visit.allowance.fields()
    answer.headers += visit.offer.farewell
    answer.headers.append(server_timing(visit.timing or visit.watch.timing()))
    return answer


def _also(methods: Methods, name: str, route: Route) -> Methods:
    return Methods({**methods.routes, name: route})


def _readable(route: Route) -> Methods:
    return Methods({"GET": route, "HEAD": route})
