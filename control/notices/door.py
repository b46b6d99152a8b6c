from typing import TYPE_CHECKING

from control.actors import Verb
from control.errors import Unregistered
from control.notices.store import find_notice, load_notices, mark_read
from control.notices.values import Notice
from kernel import OrganisationId

if TYPE_CHECKING:
    from control.store import ControlStore


class Inbox:
    """The notices of an organisation, for whoever acts in it."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def notices(self, organisation: OrganisationId, *, unread: bool = False) -> tuple[Notice, ...]:
        """Those that concern the actor's roles, newest first; to the house, all of them. Raises NotYours."""
        self._store.ensure_may(Verb.INBOX_READ, organisation)
        with self._store.reading() as db:
            found = load_notices(db, organisation)
        mine = [each for each in found if self._concerned(each) and not (unread and each.read is not None)]
        return tuple(reversed(mine))

    def notice(self, notice: str) -> Notice:
        """Raises Unregistered, also for one that concerns others: an id must not be a key to find out."""
        with self._store.reading() as db:
            found = find_notice(db, notice)
        actor = self._store.actor
        if not actor.house and (actor.organisation != found.organisation or not self._concerned(found)):
            raise Unregistered("no such notice", remedy="list the inbox to see those that are there")
        return found

    def read(self, notice: str) -> Notice:
        """Mark a notice as read. Raises as `notice`."""
        found = self.notice(notice)
        with self._store.changing(Verb.INBOX_READ, f"notice {notice}", found.organisation) as db:
            mark_read(db, notice, self._store.clock.now())
            return find_notice(db, notice)

    def _concerned(self, notice: Notice) -> bool:
        return self._store.actor.house or bool(self._store.actor.roles & notice.roles)
