"""The deed: an agreement as it was written down, parties and window included. One text, one hash, for ever.

What is enforced is read from this text, the readable document is made from it, and its hash stands in the ledger.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785

from control.agreements.terms import Terms
from control.organisations import Organisation
from control.times import from_text, from_text_or_none, to_text
from kernel import AgreementId, OrganisationId, SystemId, Window

FORM: Final = "knudepunkt-agreement/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An organisation as it was called when the agreement was written down.

    code   a municipality's, four digits; empty for one that has none here
    """

    id: OrganisationId
    cvr: str
    name: str
    code: str = ""

    @classmethod
    def of(cls, organisation: Organisation) -> Self:
        return cls(id=organisation.id, cvr=organisation.cvr, name=organisation.name, code=organisation.code)

    def as_json(self) -> dict[str, str]:
        return {"id": self.id, "cvr": self.cvr, "name": self.name, "code": self.code}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """valid   as agreed; a replacement ends it earlier without changing the deed"""

    id: AgreementId
    municipality: Party
    supplier: Party
    system: SystemId
    system_name: str
    terms: Terms
    valid: Window
    replaces: AgreementId | None = None

    def __post_init__(self) -> None:
        for each in self.terms.services.values():
            # What is enforced is `rows`: a scope that was not made into rows would be none.
            if each.own_municipality - each.rows.keys():
                raise ValueError("the municipality's own rows are not settled")

    @property
    def text(self) -> str:
        """Canonical JSON (RFC 8785): the same agreement gives the same text."""
        told = {
            "form": FORM,
            "id": self.id,
            "municipality": self.municipality.as_json(),
            "supplier": self.supplier.as_json(),
            "system": {"id": self.system, "name": self.system_name},
            "valid": {
                "from": to_text(self.valid.start),
                "to": None if self.valid.end is None else to_text(self.valid.end),
            },
            "replaces": self.replaces,
            "terms": self.terms.as_json(),
        }
        return rfc8785.dumps(told).decode()

    @property
    def hash(self) -> str:
        return hash_of(self.text)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            id=AgreementId(data["id"]),
            municipality=_party(data["municipality"]),
            supplier=_party(data["supplier"]),
            system=SystemId(data["system"]["id"]),
            system_name=data["system"]["name"],
            terms=Terms.from_json(data["terms"]),
            valid=Window(from_text(data["valid"]["from"]), from_text_or_none(data["valid"]["to"])),
            replaces=None if data["replaces"] is None else AgreementId(data["replaces"]),
        )


def hash_of(text: str) -> str:
    """SHA-256, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_terms(text: str) -> tuple[Terms, Deed | None]:
    """What is enforced, and the deed it comes from: None for an agreement of the first release, which wrote terms only.

    Raises what a text that was never written here makes of it: ValueError, KeyError, TypeError, AgreementInvalid.
    """
    data = json.loads(text)
    if "form" not in data:
        return Terms.from_json(data), None
    deed = Deed.from_json(data)
    return deed.terms, deed


def _party(data: Mapping[str, str]) -> Party:
    return Party(id=OrganisationId(data["id"]), cvr=data["cvr"], name=data["name"], code=data["code"])
