"""The established exchange from the sender's side: XML triggers and metadata, and receipts, over OpenSSH's server."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from extract.delivery.alarms import AlarmKind, find_alarms
from extract.delivery.desk import wish_of
from extract.delivery.faults import TargetInvalid
from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import transfer_of
from extract.delivery.push_sftp import SftpSender
from extract.delivery.receipts import ReceiptDesk
from extract.delivery.targets import SftpTarget, target_of, told_of
from extract.errors import ExchangeRefused
from extract.exchange.xml import Described, read_described, read_receipt, receipt_text
from kernel import AgreementId, ServiceName, SystemId
from tests.delivery.builders import Desk, a_parcel, handover, wish
from tests.delivery.receivers import LOCAL, Sshd, openssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with openssh(tmp_path_factory.mktemp("sshd")) as found:
        (found.inbox.parent / "IN").mkdir()
        yield found


@dataclass
class Office:
    """A sender, and beside it the other platform, which a test plays."""

    desk: Desk
    sshd: Sshd

    @property
    def answers(self) -> Path:
        return self.sshd.inbox.parent / "IN"

    def target(self, **more: Any) -> SftpTarget:
        told: dict[str, Any] = {
            "document": "xml",
            "recipients": ("CARE_SIMPELSFTP",),
            "manifest": False,
            "receipts": str(self.answers),
        }
        return replace(self.sshd.target(), **(told | more))

    def subscribe(self, **more: Any) -> None:
        made = self.desk.subscriptions.add(wish(self.target(), confirm_within_s=3600, **more), by="a test")
        self.desk.subscriptions.plan(made.id, 5)

    def send(self) -> None:
        def sender(subscription: Any, _: Any) -> SftpSender:
            return SftpSender(target=subscription.wish.target, key=self.sshd.key, reach=LOCAL, timeout_s=60)

        replace(self.desk.courier, sender_of=sender).turn()

    def received(self) -> Described:
        """As the other platform takes it: the file by its trigger."""
        (trigger,) = self.sshd.inbox.glob("*.trigger")
        described = read_described(trigger.read_bytes())
        assert (self.sshd.inbox / described.file).stat().st_size == described.size_bytes
        for each in (trigger, self.sshd.inbox / described.file):
            each.unlink()
        return described

    def answer(self, described: Described, *errors: tuple[int, str, str], known: bool = True) -> None:
        own_id = described.senders_file_id if known else None
        text = receipt_text("0190b0f4-0000-7000-8000-000000000001", senders_file_id=own_id, errors=errors)
        (self.answers / f"{described.file}.sftpreceipt").write_bytes(text)

    def fetch(self) -> int:
        desk = self.desk
        return ReceiptDesk(
            outbox=desk.outbox, subscriptions=desk.subscriptions,
            tell=desk.tell,
            key=lambda: self.sshd.key, reach=LOCAL, timeout_s=60,
        ).fetch()  # fmt: skip

    @property
    def newest(self) -> Delivery:
        return self.desk.outbox.book.listed()[0]


@pytest.fixture
def office(desk: Desk, server: Sshd) -> Office:
    for folder in (server.inbox, server.inbox.parent / "IN"):
        for each in folder.iterdir():
            each.unlink()
    return Office(desk, server)


class TestDocuments:
    def test_a_trigger_says_file_size_sender_and_recipients(self, office: Office) -> None:
        office.subscribe()
        office.send()
        described = office.received()
        delivery = office.newest
        assert (described.file, described.size_bytes) == (delivery.file, delivery.size_bytes)
        assert (described.sender, described.recipients) == (office.target().user, ("CARE_SIMPELSFTP",))
        assert described.senders_file_id == transfer_of(delivery.id, 0)
        assert office.sshd.names() == [], "nothing is left that nobody takes"

    @pytest.mark.parametrize(("document", "root"), [("xml", b"<ns2:FileMetadata "), ("legacy", b"<ns2:Trigger ")])
    def test_metadata_has_either_root(self, office: Office, tmp_path: Path, document: str, root: bytes) -> None:
        target = replace(office.sshd.target(trigger="metadata"), document=document, recipients=("CARE",))
        SftpSender(target=target, key=office.sshd.key, reach=LOCAL).send(a_parcel(tmp_path), handover())
        assert office.sshd.names() == ["town.csv", "town.csv.manifest.json", "town.csv.metadata"]
        text = (office.sshd.inbox / "town.csv.metadata").read_bytes()
        assert root in text
        assert b"<FileTransferUUID>" in text
        described = read_described(text)
        assert (described.sender, described.recipients) == ("KNUDEPUNKT", ("CARE",))

    @pytest.mark.parametrize(
        "told",
        [{"document": "legacy"}, {"document": "xml", "trigger": "done"}, {"document": "xml", "trigger": "none"},
         {"document": "pdf"}, {"document": "xml", "recipients": ["a", "a"]}, {"document": "xml", "recipients": "a"},
         {"document": "xml", "recipients": [1]}, {"document": "xml", "recipients": ["a\nb"]},
         {"document": "xml", "sender": "<b>"}, {"receipts": "IN"}, {"document": "xml", "receipts": 3},
         {"document": "xml", "receipts": "I\0N"}, {"manifest": "no"}],
    )  # fmt: skip
    def test_what_does_not_go_together_is_refused(self, told: dict[str, Any]) -> None:
        base = {"kind": "sftp", "host": "h", "user": "u", "host_key": "ssh-ed25519 " + "A" * 68}
        with pytest.raises(TargetInvalid):
            target_of(base | told)

    def test_a_target_is_read_as_it_was_told(self, office: Office) -> None:
        assert target_of(told_of(office.target())) == office.target()


class TestReceipts:
    def test_success_confirms_and_is_taken_away(self, office: Office) -> None:
        office.subscribe()
        office.send()
        assert office.fetch() == 0
        assert office.newest.state == "sent"
        office.answer(office.received())
        assert office.fetch() == 1
        assert office.newest.state == "received"
        assert list(office.answers.iterdir()) == []
        assert office.fetch() == 0

    def test_an_error_is_told_and_waits_for_somebody_and_holds_the_later_ones(self, office: Office) -> None:
        office.subscribe()
        office.send()
        office.answer(office.received(), (30, "NameTaken", "the file of Anna is there already"))
        assert office.fetch() == 1
        assert (office.newest.state, office.newest.fault_code) == ("dead", "target_faulty")
        assert "error 30" in str(office.newest.fault)
        ((subject, text),) = office.desk.notices
        assert subject == "A delivery was refused"
        assert "Anna" not in text, "what another platform writes is not repeated"
        assert office.desk.subscriptions.plan(office.newest.subscription, 6) is None
        office.desk.outbox.redelivered(office.newest.id, "mended")
        office.send()
        office.answer(office.received())
        office.fetch()
        assert office.newest.state == "received"

    def test_one_for_an_earlier_round_is_none_for_this(self, office: Office) -> None:
        office.subscribe()
        office.send()
        first = office.received()
        office.desk.outbox.redelivered(office.newest.id, "lost")
        office.answer(first, known=False)
        office.send()
        assert list(office.answers.iterdir()) == [], "what lay there is taken away before the trigger is written"
        office.answer(first)
        assert office.fetch() == 0
        assert office.newest.state == "sent"
        office.answer(office.received(), known=False)
        assert office.fetch() == 1

    def test_none_in_time_is_an_alarm(self, office: Office) -> None:
        office.subscribe()
        office.send()
        office.desk.clock.pass_s(3601)
        (alarm,) = find_alarms(office.desk.database, office.desk.clock)
        assert alarm.kind is AlarmKind.UNCONFIRMED
        base = {"host": "h", "user": "u", "host_key": "ssh-ed25519 " + "A" * 68, "kind": "sftp"}
        ids: dict[str, Any] = {
            "agreement": AgreementId("a"), "system": SystemId("s"), "service": ServiceName("t"),
        }  # fmt: skip
        plain, answered = base, base | {"document": "xml", "receipts": "IN"}
        assert [wish_of({"target": each}, **ids).confirm_within_s for each in (plain, answered)] == [None, 86_400]

    def test_half_a_receipt_waits_and_a_server_in_trouble_keeps_nobody_else(self, office: Office) -> None:
        office.subscribe()
        office.send()
        name = f"{office.received().file}.sftpreceipt"
        (office.answers / name).write_bytes(b"<TechnicalReceipt><Recei")
        gone = replace(office.target(), port=1)
        made = office.desk.subscriptions.add(wish(gone), by="a test")
        office.desk.subscriptions.plan(made.id, 5)
        office.desk.courier.turn()
        assert office.fetch() == 0
        (office.answers / name).write_bytes(receipt_text("0190b0f4-0000-7000-8000-000000000001"))
        assert office.fetch() == 1


class TestReading:
    @pytest.mark.parametrize(
        ("text", "taken", "errors"),
        [
            ((b"<TechnicalReceipt><FileTransferUUID>x</FileTransferUUID><Receipt><Message>SUCCESS</Message></Receipt>"
             b"</TechnicalReceipt>"), True, ()),
            (b"<TechnicalReceipt><Receipt><Message>FAILURE</Message></Receipt></TechnicalReceipt>", False, ()),
            (receipt_text("x", errors=[(30, "a", "b"), (31, "c", "d")]), False, (30, 31)),
            (b"<BusinessReceipt><FileAcceptance>ACCEPTED</FileAcceptance></BusinessReceipt>", True, ()),
            (b"<BusinessReceipt><FileAcceptance>REJECTED</FileAcceptance></BusinessReceipt>", False, ()),
        ],
    )  # fmt: skip
    def test_both_kinds(self, text: bytes, taken: bool, errors: tuple[int, ...]) -> None:
        receipt = read_receipt(text)
        assert (receipt.taken, receipt.errors) == (taken, errors)

    @pytest.mark.parametrize(
        "text",
        [b"", b"<a/>", b"<TechnicalReceipt/>", b"x" * 70_000, b'<x:TechnicalReceipt xmlns:x="urn:other"/>',
         (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><TechnicalReceipt><Receipt><Message>&e;</Message>'
         b"</Receipt></TechnicalReceipt>"),
         b"<TechnicalReceipt><ErrorMessage><ErrorCode>-1</ErrorCode></ErrorMessage></TechnicalReceipt>",
         (b"<TechnicalReceipt><Receipt><Message>SUCCESS</Message></Receipt><ErrorMessage><ErrorCode>1</ErrorCode>"
         b"</ErrorMessage></TechnicalReceipt>"),
         b"<BusinessReceipt/>"],
    )  # fmt: skip
    def test_what_is_none_confirms_nothing(self, text: bytes) -> None:
        with pytest.raises(ExchangeRefused):
            read_receipt(text)
