"""A courier that is killed: between the ledger's line and the word `placed` in the outbox, or when it has just told
somebody something.

python -m tests.delivery.killed_courier FOLDER placing|telling|whole    does what is due, once
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from extract.delivery.notices import Notice
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_rows import Delivery
from extract.delivery.subscription import Subscription
from kernel import SystemClock
from tests.delivery.builders import Calls, Desk, database_at
from usage import Ledger

KEY = b"k" * 32
LEASE_S = 0.01


class Cut(Outbox):
    def placed(self, delivery: Delivery) -> Delivery:
        os.kill(os.getpid(), signal.SIGKILL)
        return delivery


class Silenced(Desk):
    def tell(self, db: Connection, subscription: Subscription, notice: Notice) -> None:
        super().tell(db, subscription, notice)
        os.kill(os.getpid(), signal.SIGKILL)


def work(folder: Path, killed: str) -> None:
    clock = SystemClock()
    with (
        database_at(f"sqlite:///{folder / 'control.sqlite'}") as database,
        Ledger(folder / "ledger", role="worker", subject_key=KEY, clock=clock) as ledger,
    ):
        # Without room for anything where somebody is to be told.
        desk = Silenced(folder, database, quota=Calls(0)) if killed == "telling" else Desk(folder, database)
        outbox = (Cut if killed == "placing" else Outbox)(database, clock, Patience(), lease_s=LEASE_S)
        courier = replace(desk.courier, outbox=outbox, observe=ledger.record, clock=clock)
        while courier.turn() is None:
            pass


if __name__ == "__main__":
    work(Path(sys.argv[1]), killed=sys.argv[2])
