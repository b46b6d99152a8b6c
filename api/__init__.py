"""Api: the platform's front door. Bytes come in over mutual TLS, are put to the rooms as calls, and leave when they
are on record.

The only room that is async, and the only one that knows HTTP. It gets everything it needs through `Doors`.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from api.app import App, make_app
    from api.doors import Doors
    from api.live import LiveTls, TlsFiles
    from api.protocol import TlsProtocol
    from api.proxy import Proxies
    from api.rest.problems import error_tree
    from api.server import ApiServer, serve
    from api.settings import ProxySettings
    from api.tls import Peer, refusals_to_ledger, server_context

__all__ = [
    "ApiServer",
    "App",
    "Doors",
    "LiveTls",
    "Peer",
    "Proxies",
    "ProxySettings",
    "TlsFiles",
    "TlsProtocol",
    "error_tree",
    "make_app",
    "refusals_to_ledger",
    "serve",
    "server_context",
]

hang_door(__name__)
