"""What a system may call in the test environment without an agreement, and the permission that carries it. Pure."""

import hashlib
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

import rfc8785

from kernel import AgreementId, Caller, Grant, Limits, OrganisationId, ServiceName, Window

TRIAL_SERVICES: Final = frozenset({ServiceName("demo-service")})
"""They hold no data: they answer with what they are sent."""
_LIMITS: Final = Limits(keys_per_call=1, calls_per_minute=60)
_NAMES: Final = UUID("6f1d1c2e-3a52-4f0e-9f0b-6d2b7a4c9e11")
_HASH: Final = hashlib.sha256(
    rfc8785.dumps({"form": "knudepunkt-trial/1", "services": sorted(TRIAL_SERVICES), "calls_per_minute": 60})
).hexdigest()
_ALWAYS: Final = Window(datetime(2000, 1, 1, tzinfo=UTC))


def trial_grant(caller: Caller, owner: OrganisationId, service: ServiceName) -> Grant:
    """On the account of the caller's own organisation: no municipality has agreed to anything.

    The id of the agreement is the same for each call of a system, so that its calls are counted together; no
    agreement is registered under it.
    """
    return Grant(
        agreement=AgreementId(str(uuid5(_NAMES, caller.system))),
        system=caller.system,
        municipality=owner,
        municipality_cvr=caller.organisation_cvr,
        service=service,
        valid=_ALWAYS,
        terms_hash=_HASH,
        limits=_LIMITS,
    )
