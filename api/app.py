"""The ASGI application: a request in, an answer out, and a problem document whenever that fails."""

from collections.abc import Awaitable, Callable

from api.doors import Doors
from api.request import ClientGone, Receive, Request, Scope, Send
from api.routes import Routes
from api.unexpected import unexpected
from api.visit import refusal_on_record
from kernel import PlatformError

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def make_app(doors: Doors) -> App:
    """An ASGI 3 application for HTTP. No framework lies below it: the hot road is a dictionary and a function call."""
    routes = Routes(doors)
    clock = doors.clock

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(routes, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"this application does not speak {scope['type']}")
        request = Request(scope, receive, clock)
        try:
            _receive(doors, request)
            answer = await routes.find(request.path)(request)
        except PlatformError as error:
            answer = routes.refusal(error, request)
        except ClientGone:
            return
        except Exception as error:
            answer = routes.refusal(unexpected(error, request), request)
        await answer.send(send)

    return app


def _receive(doors: Doors, request: Request) -> None:
    """Settle who is at the other end. A forged header is refused on every path, public ones too, and on record."""
    try:
        doors.proxies.receive(request, doors.trust())
    except PlatformError as error:
        raise refusal_on_record(doors, request, error) from None


async def _live(routes: Routes, receive: Receive, send: Send) -> None:
    """The life of the process: what was opened on its loop is closed on it."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await routes.close()
    await send({"type": "lifespan.shutdown.complete"})
