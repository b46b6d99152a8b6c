import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from control.actors import Role
from control.errors import UserInvalid
from control.texts import ensure_name
from kernel import OrganisationId

UserId = NewType("UserId", str)

_EMAIL: Final = re.compile(r"[^@\s<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LONGEST_EMAIL: Final = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """ended   since when they may do nothing; a user is never removed, since histories name them"""

    id: UserId
    organisation: OrganisationId
    name: str
    email: str
    roles: frozenset[Role]
    created: datetime
    ended: datetime | None = None

    def __post_init__(self) -> None:
        ensure_name(self.name, "the user's name", UserInvalid)
        ensure_email(self.email)
        if not self.roles:
            raise UserInvalid("the user has no role", remedy="give at least one")


def ensure_email(text: str) -> None:
    """Raises UserInvalid for what can be no address; the message does not repeat it."""
    if len(text) > _LONGEST_EMAIL or not text.isprintable() or not _EMAIL.fullmatch(text):
        raise UserInvalid("the e-mail address is none", remedy="give one like name@organisation.example")
