"""What a system sends first: the answer is what it sent."""

import orjson

from integrations.asked import Reply, Road
from integrations.carried import Carried
from integrations.components.input import field_of
from integrations.passthrough import JSON

LONGEST = 200


def echo(carried: Carried) -> Road:
    """Of `message`: the same again, so that a system sees that its call arrived whole."""
    message = field_of(carried, "message", f"[^\\x00-\\x1f\\x7f]{{1,{LONGEST}}}")
    yield from ()
    return Reply(fields=JSON, body=orjson.dumps({"message": message}), keys=0, rows=0)
