"""The road of one live call, on one page:

    identify -> read -> grant -> admit -> integration -> answer -> observe

Which integration it is, the service's descriptor declares. Lookups in the mirror have the same road without stops, in
api/rest/lookup.py: nothing on it waits.
"""

from collections.abc import Callable, Mapping
from typing import Final

from integrations.asked import Asked, Read, Road
from integrations.carried import Carried, Desk, Visit
from integrations.components import component
from integrations.orchestration import orchestration
from integrations.passthrough import pass_through
from integrations.redirect import redirect
from integrations.replica import replica
from kernel import PlatformError
from schemas import IntegrationType, PassThrough, Service

REPLAYABLE_BYTES: Final = 64 * 1024
"""A request body up to this size is kept while it is sent, so that it can be sent again."""
MOST_BYTES: Final = 1_048_576
INTEGRATIONS: Final[Mapping[IntegrationType, Callable[[Carried], Road]]] = {
    IntegrationType.REDIRECT: redirect,
    IntegrationType.PASS_THROUGH: pass_through,
    IntegrationType.REPLICA: replica,
    IntegrationType.ORCHESTRATION: orchestration,
    IntegrationType.COMPONENT: component,
}


def invoke(visit: Visit, desk: Desk, asked: Asked | None = None) -> Road:
    """The answer to one call; `asked` is given where it is not read from a connection. Raises PlatformError."""
    service = visit.service
    caller = visit.identify()
    if asked is None:
        asked = yield _reading(service)
    call, grant = visit.admit(caller)
    integration = INTEGRATIONS[service.integration_type]
    reply = yield from integration(Carried(visit=visit, call=call, grant=grant, asked=asked, desk=desk, step=step))
    visit.observe(grant, reply)
    return reply


def step(visit: Visit, desk: Desk, asked: Asked) -> Road:
    """A call that another one needs: as `invoke`, and its refusal is on record as well."""
    try:
        return (yield from invoke(visit, desk, asked))
    except PlatformError as error:
        raise visit.refused(error) from None


def _reading(service: Service) -> Read:
    live = service.live
    if not isinstance(live, PassThrough):
        return Read(whole=MOST_BYTES, most=MOST_BYTES)
    looked_into = live.fallback is not None or live.subject is not None
    most = min(live.most_request_bytes, MOST_BYTES) if looked_into else live.most_request_bytes
    return Read(whole=most if looked_into else REPLAYABLE_BYTES, most=most, query=live.query)
