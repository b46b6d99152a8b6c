from dataclasses import dataclass
from datetime import datetime

from control.actors import Role
from kernel import OrganisationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """roles      whom in the organisation it concerns
    about      the thing it is about, for instance `agreement 0190...`
    read       when somebody marked it read; None while nobody has
    mailed     when its e-mails were settled: sent, or given up; None when they are not, or when no mail server is set
    """

    id: str
    organisation: OrganisationId
    roles: frozenset[Role]
    subject: str
    text: str
    about: str
    at: datetime
    read: datetime | None = None
    mailed: datetime | None = None
