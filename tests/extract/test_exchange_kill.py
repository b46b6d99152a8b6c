"""Whoever sends is killed before any of its steps on the disk: each receiver ends with one whole copy, never two."""

import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extract import Exchange, ExchangeSettings, InMetadata
from extract.exchange.names import RECEIPT
from extract.exchange.sending import Sending
from kernel import CallAnswered, Caller, Grant, Observation, SystemId
from tests.extract.builders import CVR, SERVICE
from tests.extract.exchanging import FILE, RECEIVER, SENDER, STRANGER, TEXT, may_exchange, trigger

SYSTEMS = (SENDER, RECEIVER, STRANGER)
GRANTS = {each: (may_exchange(each, agreement=f"agreement-{each}"),) for each in SYSTEMS}
STEPS = frozenset({"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate"})
"""Audit events of Python that come just before a step on the disk."""
CALLER = Caller(system=SystemId(SENDER), name=SENDER, organisation_cvr="22222222", credential="0" * 64)


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Notebook:
    """A ledger that survives: each event's id on a line of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def observe(self, fact: Observation) -> None:
        if isinstance(fact, CallAnswered):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(handle, f"{fact.event} {fact.agreement}\n".encode())
            os.close(handle)

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


def grants_of(system: SystemId) -> tuple[Grant, ...]:
    return GRANTS[system]


def made(folder: Path) -> tuple[Sending, Notebook]:
    notes = Notebook(folder / "notes")
    exchange = Exchange(folder / "exchange", str, Clock(), ExchangeSettings())
    return Sending(exchange, lambda user: SystemId(user) if user in SYSTEMS else None, grants_of, notes.observe), notes


def uploaded(sending: Sending) -> None:
    box = sending.exchange.box(SystemId(SENDER))
    box.make()
    (box.out / FILE).write_bytes(TEXT)
    (box.out / f"{FILE}.trigger").write_bytes(trigger(RECEIVER, STRANGER, own_id="mine"))


def killed_at(step: int, work: object) -> bool:
    """Do `work` in a process of its own that is killed before its step number `step`. False when it got to its end."""
    assert callable(work)
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def copies(sending: Sending, system: str) -> list[bytes]:
    held = sending.exchange.box(SystemId(system)).names()
    return [each.path.read_bytes() for name, each in held.items() if name == FILE]


@pytest.mark.slow
def test_a_transfer_that_is_killed_before_any_step_arrives_once(tmp_path: Path) -> None:
    step, kills = 0, 0
    while True:
        folder = tmp_path / str(step)
        sending, notes = made(folder)
        uploaded(sending)
        if not killed_at(step, lambda sending=sending: sending.trigger(CALLER, FILE)):
            break
        kills += 1
        # What a receiver already has it takes away before the rest is sent: that must not bring it a second one.
        taken = copies(sending, RECEIVER)
        box = sending.exchange.box(SystemId(RECEIVER))
        for name, held in box.names().items():
            assert box.remove(name, held)
        sending.resume(SystemId(SENDER))
        taken += copies(sending, RECEIVER)
        assert taken == [TEXT], f"step {step}"
        assert copies(sending, STRANGER) == [TEXT], f"step {step}"
        own = sending.exchange.box(SystemId(SENDER))
        assert b"SUCCESS" in own.names()[f"{FILE}{RECEIPT}"].path.read_bytes(), f"step {step}"
        assert list(own.out.iterdir()) == list(own.sent.iterdir()) == []
        assert len(set(notes.lines())) == 2, f"step {step}: an event each, and the same one when it is told twice"
        step += 1
    assert kills > 40


@pytest.mark.slow
def test_resuming_that_is_killed_too_brings_it_once(tmp_path: Path) -> None:
    for step in range(0, 60, 3):
        sending, notes = made(tmp_path / str(step))
        uploaded(sending)
        killed_at(45, lambda sending=sending: sending.trigger(CALLER, FILE))
        for again in (step, step // 2, 1):
            killed_at(again, lambda sending=sending: sending.resume(SystemId(SENDER)))
        sending.resume(SystemId(SENDER))
        assert copies(sending, RECEIVER) == copies(sending, STRANGER) == [TEXT]
        assert max(Counter(notes.lines()).values()) <= 4


@pytest.mark.slow
def test_a_delivery_of_the_house_that_is_killed_before_any_step_lands_once(tmp_path: Path) -> None:
    step = 0
    metadata = InMetadata(transfer="t", agreement=GRANTS[RECEIVER][0].agreement, service=SERVICE,
                          municipality_cvr=CVR, terms_hash="0" * 64)  # fmt: skip
    while True:
        folder = tmp_path / str(step)
        sending, _ = made(folder)
        file = folder / "made"
        folder.mkdir()
        file.write_bytes(TEXT)

        def put(sending: Sending = sending, file: Path = file) -> bool:
            return sending.exchange.put_in(SystemId(RECEIVER), FILE, file, metadata)

        if not killed_at(step, put):
            break
        put()
        names = sending.exchange.box(SystemId(RECEIVER)).names()
        assert sorted(names) == [FILE, f"{FILE}.metadata", f"{FILE}.trigger"]
        assert names[FILE].path.read_bytes() == TEXT
        step += 1
    assert step > 8
