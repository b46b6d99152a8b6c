"""A courier that is killed between the ledger's line and the word `placed` in the outbox.

python -m tests.delivery.killed_courier FOLDER killed|whole    does what is due, once
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_rows import Delivery
from kernel import SystemClock
from tests.delivery.builders import Desk, database_at
from usage import Ledger

KEY = b"k" * 32
LEASE_S = 0.01


class Cut(Outbox):
    def placed(self, delivery: Delivery) -> Delivery:
        os.kill(os.getpid(), signal.SIGKILL)
        return delivery


def work(folder: Path, killed: bool) -> None:
    clock = SystemClock()
    with (
        database_at(f"sqlite:///{folder / 'control.sqlite'}") as database,
        Ledger(folder / "ledger", role="worker", subject_key=KEY, clock=clock) as ledger,
    ):
        desk = Desk(folder, database)
        outbox = (Cut if killed else Outbox)(database, clock, Patience(), lease_s=LEASE_S)
        courier = replace(desk.courier, outbox=outbox, observe=ledger.record, clock=clock)
        while courier.turn() is None:
            pass


if __name__ == "__main__":
    work(Path(sys.argv[1]), killed=sys.argv[2] == "killed")
