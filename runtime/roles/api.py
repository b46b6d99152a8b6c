"""The role that answers calls."""

from api import LiveTls, TlsFiles, make_app, refusals_to_ledger, serve
from runtime.answering import doors_of
from runtime.clock import CLOCK
from runtime.delivering import with_deliveries
from runtime.heap import steady_heap
from runtime.instance import Instance
from runtime.processes import listening_on
from runtime.settings import Settings
from runtime.watching import with_watching
from runtime.wiring import open_house


def run_api(instance: Instance, settings: Settings, handle: int | None) -> None:
    """Answer REST calls until told to stop; on the parent's socket, or on one of its own."""
    steady_heap()
    with (
        listening_on(handle, settings.api.host, settings.api.port) as listening,
        open_house(instance, settings, "api") as house,
    ):
        files = TlsFiles(*instance.server_files(), trust=instance.trust, crl=instance.crl)
        with LiveTls(files, CLOCK, on_refused=refusals_to_ledger(house.observe, CLOCK)) as tls:
            doors = with_watching(with_deliveries(doors_of(house, tls.trust), house), house, tls.trust)
            serve(make_app(doors), listening, tls.context, drain_s=settings.api.drain_s)
