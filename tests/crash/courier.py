"""A process that plans, makes and sends deliveries until it is killed.

python -m tests.crash.courier SETTINGS    a JSON file that `tests.crash.deliveries` writes
"""

import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from extract import ExtractPlan, ExtractStore
from extract import Shelf as Shelves
from extract.delivery.courier import Courier
from extract.delivery.making import Maker
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from extract.delivery.parcel import Sender
from extract.delivery.push_https import HttpsSender, Poster
from extract.delivery.push_sftp import SftpSender
from extract.delivery.ssh_keys import private_key
from extract.delivery.subscription import Subscription
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import HttpsTarget, SftpTarget
from kernel import Grant, SnapshotId, SystemClock
from replica import SnapshotInfo
from schemas import Dataset
from tests.delivery.builders import NoLimits, database_at, working_day
from tests.delivery.receivers import LOCAL
from tests.extract.builders import RESIDENTS, grant, info, residents

CLOCK = SystemClock()
PATIENCE = Patience(first_s=0.02, longest_s=0.2, attempts=100_000, failures=3, rest_s=0.1)
LEASE_S = 0.5
SECRET = b"s" * 32
ROWS = 8_000


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def scan(plan: ExtractPlan) -> pa.RecordBatchReader:
    """Other rows in each snapshot, in small batches, so that a production can be killed half way."""
    table = residents(ROWS, first=int(plan.snapshot)).select(plan.columns)
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=500))


def info_of(dataset: Dataset, snapshot: SnapshotId | None) -> SnapshotInfo:
    assert dataset.id == RESIDENTS.id
    return info(int(snapshot or 1), ROWS)


def work(given: dict[str, Any]) -> None:
    folder = Path(given["folder"])
    tls = ssl.create_default_context(cafile=given["authority"])
    tls.load_cert_chain(given["client"])
    key = private_key(Path(given["key"]))

    def sender_of(subscription: Subscription, _: Grant) -> Sender | None:
        match subscription.wish.target:
            case SftpTarget() as target:
                return SftpSender(target=target, key=key, reach=LOCAL, timeout_s=10)
            case HttpsTarget() as target:
                poster = Poster(url=target.url, secret=SECRET, tls=tls, reach=LOCAL, clock=CLOCK, timeout_s=10)
                return HttpsSender(target=target, poster=poster, source="crash", pull=lambda _: "")
            case _:
                return None

    with (
        database_at(f"sqlite:///{folder / 'control.sqlite'}") as database,
        ExtractStore(folder / "files", scan, clock=CLOCK) as store,
    ):
        outbox = Outbox(database, CLOCK, PATIENCE, lease_s=LEASE_S)
        subscriptions = Subscriptions(database, CLOCK, working_day)
        maker = Maker(
            store=store, shelf=Shelves(folder / "shelves"), dataset_of=lambda _: RESIDENTS, info_of=info_of,
            corrections=lambda *_: (), clock=CLOCK,
        )  # fmt: skip
        courier = Courier(
            outbox=outbox, subscriptions=subscriptions, grant_of=lambda _: grant(protected=True), make=maker,
            quota=NoLimits(), sender_of=sender_of, tell=lambda *_: None, observe=lambda _: None, clock=CLOCK,
        )  # fmt: skip
        say(ready=True)
        while True:
            for each in subscriptions.listed():
                if each.deliveries < given["deliveries"]:
                    subscriptions.plan(each.id, each.deliveries + 1)
            done = courier.turn()
            if done is None:
                time.sleep(0.02)
            else:
                say(delivery=done.number, state=done.state, code=done.fault_code)


if __name__ == "__main__":
    work(json.loads(Path(sys.argv[1]).read_text()))
