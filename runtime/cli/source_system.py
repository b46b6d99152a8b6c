"""`knudepunkt source-system`: the fictitious source system, for demo and tests."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console


def source_system(
    instance: InstanceOption = DEFAULT_INSTANCE,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes one that is free.")] = 9443,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM; by default the platform's own server certificate.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Whose clients it lets in; by default the test authority's.")
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", help="End when the instance's platform has ended.")] = False,
) -> None:
    """Run a fictitious source system, REST and SOAP over mutual TLS, with faults to switch on. For tests only.

    Examples:

    `knudepunkt source-system` (in a terminal of its own; Ctrl-C ends it)

    `knudepunkt source-system --port 0` (prints the address that it took)
    """
    from runtime.fictitious_source import FictitiousSource, context_of
    from runtime.instance import Instance
    from runtime.processes import running_parent, stop_on_signals

    if certificate is None or key is None or authority is None:
        found = Instance.find(instance)
        own_certificate, own_key = found.server_files()
        certificate, key = certificate or own_certificate, key or own_key
        authority = authority or found.trust / "test-authority.pem"
    stop = stop_on_signals()
    server = FictitiousSource(context_of(certificate, key, authority), port=port)
    with server:
        import threading

        thread = threading.Thread(target=server.serve_forever, name="source-system", daemon=True)
        thread.start()
        console().print(f"https://localhost:{server.server_address[1]}", markup=False, highlight=False)
        seen = False
        while not stop.wait(1.0):
            runs = beside and running_parent(Instance.find(instance)) is not None
            if seen and not runs:
                break
            seen = seen or runs
        server.shutdown()
