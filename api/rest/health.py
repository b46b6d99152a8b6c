"""Health: /health/live says that the process answers, /health/ready that it can do its work; no more than that."""

from api.answer import Answer, json_answer
from api.doors import Doors
from api.request import Request
from api.threads import in_thread


async def live(doors: Doors, request: Request) -> Answer:
    del doors
    request.parameters()
    return json_answer({"status": "live"})


async def ready(doors: Doors, request: Request) -> Answer:
    request.parameters()
    checks = dict(await in_thread(doors.readiness))
    well = all(checks.values())
    return json_answer({"status": "ready" if well else "not ready", "checks": checks}, status=200 if well else 503)
