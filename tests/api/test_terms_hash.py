"""One hash: what is on record of a call names the text that it was allowed by."""

import hashlib
import json

from control import Agreements
from kernel import CallAnswered
from tests.api.conftest import Connect
from tests.api.house import House


def test_every_ledger_line_names_the_text_that_was_agreed(house: House, connect: Connect) -> None:
    client = connect("one")
    assert client.get("/v1/services/municipalities/records/0851").status == 200
    fact = house.facts[-1]
    assert isinstance(fact, CallAnswered)
    text, _ = Agreements(house.control, None).deed(house.agreements["one"])
    lines = [
        json.loads(line)
        for path in (house.root / "ledger").rglob("*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    (mine,) = [line for line in lines if line.get("trace") == fact.trace]
    assert mine["terms_hash"] == hashlib.sha256(text.encode()).hexdigest()
