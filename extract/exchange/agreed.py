"""Which agreements carry a file from one system to another. Pure.

A municipality lets its systems exchange files by agreements for the service `file-exchange`: one with the system that
sends, one with the system that receives, both in force. The sender's may name its receivers (scope `recipient`), the
receiver's its senders (scope `sender`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from extract.errors import ExchangeNotAgreed
from kernel import Grant, ServiceName

EXCHANGE_SERVICE: Final = ServiceName("file-exchange")
RECIPIENT: Final = "recipient"
SENDER: Final = "sender"


@dataclass(frozen=True, slots=True)
class Carried:
    """The permission to send, and the permission to receive."""

    sending: Grant
    receiving: Grant


def carried(
    sender: str, sending: Iterable[Grant], recipient: str, receiving: Iterable[Grant], municipality: str | None
) -> Carried:
    """What carries a file from user to user, given all permissions in force of both.

    municipality   CVR of the one in whose name it is sent; None to find it. Raises ExchangeNotAgreed.
    """
    takes = {grant.municipality_cvr: grant for grant in receiving if _allows(grant, SENDER, sender)}
    found = [
        Carried(grant, takes[grant.municipality_cvr])
        for grant in sending
        if _allows(grant, RECIPIENT, recipient)
        and grant.municipality_cvr in takes
        and municipality in {None, grant.municipality_cvr}
    ]
    if not found:
        # The same words for a user that nobody is: names of users must not be found out by trying.
        raise ExchangeNotAgreed(
            "no agreement in force lets the two systems exchange files",
            remedy=f"have {EXCHANGE_SERVICE} agreed with the municipality by both, or mend the recipient's name",
            rule="exchange.agreement",
        )
    if len(found) > 1:
        raise ExchangeNotAgreed(
            "several municipalities have agreed, and the file does not say in whose name it is sent",
            remedy="name one in SenderAuthority, as urn:oio:cvr-nr: and its CVR number",
            rule="exchange.municipality",
        )
    return found[0]


def _allows(grant: Grant, scope: str, user: str) -> bool:
    return grant.service == EXCHANGE_SERVICE and (scope not in grant.rows or user in grant.rows[scope])
