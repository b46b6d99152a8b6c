"""The worker's jobs that tell people: reminders and mail, with an instance and a mail server of its own."""

from datetime import timedelta
from pathlib import Path

from control import Agreements, Inbox, OrganisationKind, People, Role, ServiceTerms, Terms
from kernel import ServiceName, Window
from runtime.clock import CLOCK
from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.migrated import open_control
from runtime.telling import remind, send_mail
from tests.control.test_mail import Mailbox, serving


def test_what_ends_soon_is_told_and_mailed_once(tmp_path: Path) -> None:
    instance = found_instance(tmp_path / "i", environment="test")
    before = settings_of(instance)
    with open_control(instance, before) as store:
        owner = store.add_organisation(OrganisationKind.SUPPLIER, "12345678", "Fagsystemer ApS")
        whose = store.add_organisation(OrganisationKind.MUNICIPALITY, "11111111", "Nordby")
        People(store).add(owner.id, "Ane", "ane@fagsystemer.example", [Role.USER])
        system = store.add_system(owner.id, "care", purpose="x", contact="x")
        terms = Terms(services={ServiceName("cpr-persons"): ServiceTerms()}, purpose="x", legal_basis="x", reason="x")
        window = Window(CLOCK.now(), CLOCK.now() + timedelta(days=20))
        Agreements(store, None).request(whose.id, system.id, terms, window)
    assert [remind(instance, before), remind(instance, before)] == [2, 0]
    assert send_mail(instance, before) == 0
    mailbox = Mailbox()
    with serving(mailbox) as port:
        told = f'\n[mail]\nhost = "localhost"\nport = {port}\nstarttls = false\nsender = "k@drift.example"\n'
        instance.settings_file.write_text(instance.settings_file.read_text() + told)
        settings = settings_of(instance)
        assert [send_mail(instance, settings), send_mail(instance, settings)] == [2, 0]
        assert send_mail(instance, settings, stop=lambda: True) == 0
    assert mailbox.recipients == ["ane@fagsystemer.example"] * 2
    with open_control(instance, settings) as store:
        assert all(each.mailed for each in Inbox(store).notices(owner.id))
