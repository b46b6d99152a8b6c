"""Redirect: the answer is where the service is."""

from collections.abc import Mapping

from integrations.asked import Reply, Road
from integrations.carried import Carried
from integrations.errors import SourceNotConfigured
from integrations.sources import LiveSource
from schemas import PassThrough, Redirect, Service


def redirect(carried: Carried) -> Road:
    """307, or 308 for good. Both keep method and body (RFC 9110, 15.4): the caller sends them to the source itself."""
    live = carried.service.live
    assert isinstance(live, Redirect)  # noqa: S101  as the descriptor's review holds
    where = location(carried.service, carried.desk.sources)
    yield from ()
    return Reply(status=308 if live.permanent else 307, fields=(("location", where),))


def location(service: Service, sources: Mapping[str, LiveSource]) -> str:
    """Where a service is that is not here. Raises SourceNotConfigured."""
    live = service.live
    assert isinstance(live, Redirect | PassThrough)  # noqa: S101
    return source_of(live.source, sources).url + live.path


def source_of(name: str, sources: Mapping[str, LiveSource]) -> LiveSource:
    """Raises SourceNotConfigured."""
    if (source := sources.get(name)) is not None:
        return source
    raise SourceNotConfigured(
        f"it is not known where the source {name} is",
        remedy=f"ask the operator, who sets [live.sources.{name}]",
        rule=f"live.sources.{name}",
        owner="the operator",
        retry_after_s=3_600,
    )
