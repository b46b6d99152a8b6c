"""Notices by e-mail: to those whom they concern, encrypted, tried again, never twice, with nothing personal in them."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd import smtp
from aiosmtpd.controller import Controller

from control import Inbox, Onboarding, People, Role, Step, TestAuthority
from control.mail import MailSettings, Post, SmtpServer
from control.mail.door import LONGEST_WAIT, MOST_ATTEMPTS, OLDEST, wait_after
from control.notices import tell
from tests.control.builders import DAY, Cast, terms
from tests.ports import free_port

SENDER = "knudepunkt@drift.example"


@dataclass
class Mailbox:
    """answers   what the server says to the text of each mail, in turn; then it takes them
    hang_up   end the connection after the text has come, without an answer
    """

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)
    hang_up: bool = False

    async def handle_RCPT(  # noqa: N802
        self, server: smtp.SMTP, session: Any, envelope: smtp.Envelope, address: str, options: Any
    ) -> str:
        del server, session, options
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: smtp.SMTP, session: Any, envelope: smtp.Envelope) -> str:  # noqa: N802
        del session
        assert isinstance(envelope.content, bytes)
        if self.answers:
            return self.answers.pop(0)
        parsed = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((envelope.rcpt_tos, parsed))
        if self.hang_up and server.transport is not None:
            server.transport.close()
            await asyncio.sleep(0)
        return "250 OK"

    @property
    def recipients(self) -> list[str]:
        return sorted(address for addresses, _ in self.mails for address in addresses)


@contextmanager
def serving(mailbox: Mailbox, **choices: Any) -> Iterator[int]:
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **choices)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    with serving(mailbox) as port:
        yield port


def post(cast: Cast, port: int, **settings: Any) -> Post:
    chosen: dict[str, Any] = {"host": "localhost", "port": port, "starttls": False, "sender": SENDER, "timeout_s": 30.0}
    return Post(cast.store, SmtpServer(MailSettings(**(chosen | settings))), sender=SENDER)


@pytest.fixture
def ane(cast: Cast) -> str:
    People(cast.store).add(cast.north.id, "Ane Andersen", "ane@nordby.example", [Role.DATA_CONTROLLER])
    People(cast.store).add(cast.north.id, "Bo Berg", "bo@nordby.example", [Role.USER])
    return "ane@nordby.example"


class TestWhoIsWrittenTo:
    def test_a_request_reaches_the_data_controller_alone(
        self, cast: Cast, ane: str, mailbox: Mailbox, port: int
    ) -> None:
        made = cast.step(cast.draft().id, Step.REQUEST)
        assert post(cast, port).run() == 1
        ((recipients, mail),) = mailbox.mails
        assert recipients == [ane]
        assert (mail["To"], mail["From"]) == (ane, SENDER)
        assert mail["Subject"] == "Fagsystemer ApS requests an agreement for its system care"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert made.id in mail.get_content()

    def test_nothing_but_the_recipients_own_address_is_personal(
        self, cast: Cast, ane: str, mailbox: Mailbox, port: int
    ) -> None:
        people = People(cast.store)
        people.add(cast.north.id, "Carl Carlsen", "carl@nordby.example", [Role.DATA_CONTROLLER])
        written = replace(terms(), reason="About Anna Prøve, 0101701234", name="Anna")
        cast.step(cast.draft(terms=written).id, Step.REQUEST, by="Dorte Dal", note="Erik, 0202702345")
        assert post(cast, port).run() == 2
        for recipients, mail in mailbox.mails:
            text = mail.as_string()
            for word in ("Ane", "Bo Berg", "Carlsen", "Anna", "0101701234", "Dorte", "Erik", "0202702345"):
                assert word not in text
            (only,) = recipients
            other = "carl@nordby.example" if only == ane else ane
            assert other not in text

    def test_without_anybody_in_the_role_the_organisation_itself_is(
        self, cast: Cast, mailbox: Mailbox, port: int
    ) -> None:
        Onboarding(cast.store).change(cast.north.id, email="post@nordby.example")
        cast.step(cast.draft().id, Step.REQUEST)
        post(cast, port).run()
        assert mailbox.recipients == ["post@nordby.example"]

    def test_who_has_left_is_not_written_to(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        gone = People(cast.store).add(cast.north.id, "Carl", "carl@nordby.example", [Role.DATA_CONTROLLER])
        People(cast.store).end(gone.id)
        cast.step(cast.draft().id, Step.REQUEST)
        post(cast, port).run()
        assert mailbox.recipients == [ane]

    def test_what_is_old_when_a_mail_server_is_set_is_not_sent(
        self, cast: Cast, ane: str, mailbox: Mailbox, port: int
    ) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        cast.clock.moment += OLDEST + DAY
        assert post(cast, port).run() == 0
        assert mailbox.mails == []


class TestNeverTwice:
    def test_a_second_run_sends_nothing(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        assert [post(cast, port).run() for _ in range(3)] == [1, 0, 0]
        (notice,) = Inbox(cast.store).notices(cast.north.id)
        assert notice.mailed is not None

    def test_when_the_server_hangs_up_before_it_answers(
        self, cast: Cast, ane: str, mailbox: Mailbox, port: int
    ) -> None:
        mailbox.hang_up = True
        cast.step(cast.draft().id, Step.REQUEST)
        assert post(cast, port).run() == 0
        mailbox.hang_up = False
        cast.clock.moment += DAY
        assert post(cast, port).run() == 0
        assert mailbox.recipients == [ane]

    def test_when_the_worker_is_killed_while_it_sends(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        # A process that dies with the text on its way: the server has it, the database has not heard.
        code = (
            "import os, sys\n"
            "from control import ControlStore\n"
            "from control.mail import MailSettings, Post, SmtpServer\n"
            "from tests.control.builders import HandClock\n"
            "class Dying(SmtpServer):\n"
            "    def send(self, message, **to):\n"
            "        super().send(message, **to)\n"
            "        os.kill(os.getpid(), 9)\n"
            "store = ControlStore(sys.argv[1], environment='production', clock=HandClock())\n"
            "settings = MailSettings(host='localhost', port=int(sys.argv[2]), starttls=False, sender=sys.argv[3])\n"
            "Post(store, Dying(settings), sender=sys.argv[3]).run()\n"
        )
        run = subprocess.run([sys.executable, "-c", code, cast.url, str(port), SENDER], check=False)
        assert run.returncode == -9
        assert mailbox.recipients == [ane]
        cast.clock.moment += DAY
        assert post(cast, port).run() == 0
        assert mailbox.recipients == [ane]

    def test_two_workers_share_the_work(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        for _ in range(3):
            cast.step(cast.step(cast.draft().id, Step.REQUEST).id, Step.WITHDRAW)
        first, second = post(cast, port), post(cast, port)
        due = first._due()
        assert second.run() == 6
        # The first has looked before: it finds each of them taken.
        assert [first._claimed(notice.id, to) for notice, whom in due for to, _ in whom] == [False] * 6
        assert len(mailbox.mails) == 6


class TestTryingAgain:
    def test_a_server_that_is_busy_is_asked_later(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        mailbox.answers = ["451 later", "451 later"]
        cast.step(cast.draft().id, Step.REQUEST)
        sender = post(cast, port)
        assert [sender.run(), sender.run()] == [0, 0]
        assert len(mailbox.answers) == 1
        cast.clock.moment += wait_after(1)
        assert sender.run() == 0
        cast.clock.moment += wait_after(2)
        assert sender.run() == 1
        assert mailbox.recipients == [ane]

    def test_one_that_is_not_there_too_and_in_the_end_it_is_given_up(self, cast: Cast, ane: str) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        sender = post(cast, free_port())
        for attempt in range(1, MOST_ATTEMPTS + 3):
            assert sender.run() == 0
            cast.clock.moment += wait_after(attempt)
        ((attempts, error, given_up),) = cast.sql("SELECT attempts, error, given_up FROM mails")
        assert (attempts, error) == (MOST_ATTEMPTS, "connect: ConnectionRefusedError")
        assert given_up is not None

    def test_a_mailbox_that_does_not_exist_is_not_asked_again(
        self, cast: Cast, ane: str, mailbox: Mailbox, port: int
    ) -> None:
        mailbox.refused = {ane}
        People(cast.store).add(cast.north.id, "Carl", "carl@nordby.example", [Role.DATA_CONTROLLER])
        cast.step(cast.draft().id, Step.REQUEST)
        assert [post(cast, port).run() for _ in range(2)] == [1, 0]
        assert mailbox.recipients == ["carl@nordby.example"]
        (notice,) = Inbox(cast.store).notices(cast.north.id)
        assert notice.mailed is not None

    def test_waits_grow_to_six_hours(self) -> None:
        waits = [wait_after(attempt) for attempt in range(1, 200)]
        assert waits == sorted(waits)
        assert waits[-1] == LONGEST_WAIT


class TestOnTheWire:
    @pytest.fixture
    def tls(self, authority: TestAuthority, tmp_path: Path) -> ssl.SSLContext:
        issued = TestAuthority.open_or_create(tmp_path / "now").issue_server(["localhost"])
        (tmp_path / "mail.pem").write_bytes(issued.cert_pem)
        (tmp_path / "mail.key").write_bytes(issued.key_pem)
        (tmp_path / "ca.pem").write_bytes(TestAuthority.open_or_create(tmp_path / "now").ca_pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "mail.pem", tmp_path / "mail.key")
        return context

    def test_encrypted_with_a_certificate_that_is_known(
        self, cast: Cast, ane: str, mailbox: Mailbox, tls: ssl.SSLContext, tmp_path: Path
    ) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        with serving(mailbox, tls_context=tls, require_starttls=True) as port:
            assert post(cast, port, starttls=True, authority=str(tmp_path / "ca.pem")).run() == 1

    def test_nothing_leaves_to_a_server_of_another_authority(
        self, cast: Cast, ane: str, mailbox: Mailbox, tls: ssl.SSLContext
    ) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        with serving(mailbox, tls_context=tls) as port:
            assert post(cast, port, starttls=True).run() == 0
        assert cast.sql("SELECT error FROM mails") == [("SSLCertVerificationError",)]
        assert mailbox.mails == []

    def test_nor_to_one_that_does_not_encrypt(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        cast.step(cast.draft().id, Step.REQUEST)
        assert post(cast, port, starttls=True).run() == 0
        assert mailbox.mails == []

    def test_a_name_cannot_add_a_header(self, cast: Cast, ane: str, mailbox: Mailbox, port: int) -> None:
        with cast.store.noting() as db:
            tell(
                db, to=cast.north.id, roles=frozenset({Role.DATA_CONTROLLER}), subject="x\r\nBcc: all@example.com",
                text="y\r\n.\r\nMAIL FROM:<z@example.com>", about="w", at=cast.clock.now(),
            )  # fmt: skip
        assert post(cast, port).run() == 1
        ((recipients, mail),) = mailbox.mails
        assert (recipients, mail["Bcc"]) == ([ane], None)


def test_settings_that_cannot_work_are_refused() -> None:
    wrongs: tuple[dict[str, Any], ...] = ({"host": "x"}, {"port": 0}, {"every_s": 0.0})
    for wrong in wrongs:
        with pytest.raises(ValueError, match="must be"):
            MailSettings(**wrong)
