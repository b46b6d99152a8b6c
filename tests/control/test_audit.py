"""The audit trail: every change has its line, refused ones have none, and a cut or a change in it shows."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from control import HOUSE, Actor, OrganisationKind, Role, Verb
from control.actors import MAY, OPEN, ensure_may
from control.audit import load_entries, verify
from control.errors import NotYours
from tests.control.builders import Cast


def an_actor(role: Role, organisation: str | None) -> Actor:
    return Actor(name="Ane", roles=frozenset({role}), organisation=organisation, address="192.0.2.1")  # type: ignore[arg-type]


def lines(cast: Cast) -> list[tuple[str, str, str]]:
    with cast.store.reading() as db:
        return [(each.actor, each.verb, each.about) for each in load_entries(db, limit=1_000)]


def test_every_change_has_its_line_with_who_and_from_where(cast: Cast) -> None:
    before = lines(cast)
    ane = an_actor(Role.USER, cast.supplier.id)
    made = cast.store.acting(ane).add_system(cast.supplier.id, "nyt", purpose="Prøve", contact="a@example.invalid")
    assert lines(cast)[len(before) :] == [("Ane", "system.register", f"system {made.id}")]
    with cast.store.reading() as db:
        entry = load_entries(db, about=f"system {made.id}")[0]
        assert (entry.address, entry.organisation, entry.details) == ("192.0.2.1", cast.supplier.id, {"name": "nyt"})
        assert verify(db) == (len(before) + 1, None)


def test_what_is_refused_or_fails_has_no_line(cast: Cast) -> None:
    before = lines(cast)
    with pytest.raises(NotYours, match=r"system\.register"):
        cast.store.acting(an_actor(Role.USER, cast.rival.id)).add_system(
            cast.supplier.id, "nyt", purpose="Prøve", contact="a@example.invalid"
        )
    with pytest.raises(NotYours):
        cast.store.acting(an_actor(Role.ADMINISTRATOR, cast.supplier.id)).add_organisation(
            OrganisationKind.OPERATOR, "87654321", "Mig"
        )
    with pytest.raises(Exception, match="already"):
        cast.store.add_organisation(OrganisationKind.SUPPLIER, cast.supplier.cvr, "Igen")
    assert lines(cast) == before


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE number = 2",
        "UPDATE audit SET details = '{}' WHERE number = 2",
        "UPDATE audit SET at = '2001-01-01T00:00:00.000000+00:00' WHERE number = 2",
        "DELETE FROM audit WHERE number = 2",
    ],
)
def test_tampering_shows(cast: Cast, url: str, tmp_path: Path, tampering: str) -> None:
    with create_engine(url).begin() as db:
        db.execute(text("DROP TRIGGER audit_no_update"))
        db.execute(text("DROP TRIGGER audit_no_delete"))
        db.execute(text(tampering))
    with cast.store.reading() as db:
        assert verify(db)[1] == 2


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE number = 1",
        "DELETE FROM audit",
        "UPDATE agreement_steps SET step = 'approve'",
        "DELETE FROM agreement_steps",
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(cast: Cast, url: str, deed: str) -> None:
    cast.draft()
    with create_engine(url).begin() as db, pytest.raises(DatabaseError, match="is history"):
        db.execute(text(deed))


class TestWhoMay:
    def test_every_step_stands_in_the_table(self) -> None:
        assert set(MAY) == set(Verb)

    @pytest.mark.parametrize("verb", [each for each in Verb if each not in OPEN])
    def test_a_role_counts_in_ones_own_organisation_alone(self, cast: Cast, verb: Verb) -> None:
        for role in Role:
            own, foreign = an_actor(role, cast.north.id), an_actor(role, cast.south.id)
            if role in MAY[verb]:
                ensure_may(own, verb, cast.north.id)
            else:
                with pytest.raises(NotYours):
                    ensure_may(own, verb, cast.north.id)
            if role in MAY[verb] and role is Role.OPERATOR:
                ensure_may(foreign, verb, cast.north.id)
            else:
                with pytest.raises(NotYours):
                    ensure_may(foreign, verb, cast.north.id)
        ensure_may(HOUSE, verb)

    def test_a_supplier_cannot_approve_what_it_asks_for(self, cast: Cast) -> None:
        drafted = cast.draft()
        cast.acting(cast.supplier, Role.USER).send(drafted.id)
        for role in (Role.USER, Role.ADMINISTRATOR, Role.DATA_CONTROLLER):
            with pytest.raises(NotYours):
                cast.acting(cast.supplier, role).approve(drafted.id)
        with pytest.raises(NotYours):
            cast.acting(cast.rival, Role.OPERATOR).approve(drafted.id)
        cast.acting(cast.north, Role.DATA_CONTROLLER).approve(drafted.id)
