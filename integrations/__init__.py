"""Integrations: how a call gets its answer. So far by the replica road: from the platform's own mirror."""

from integrations.errors import KeyInvalid, TooManyKeys
from integrations.invoke import LookupAnswer, lookup
from integrations.projection import Projection, project

__all__ = [
    "KeyInvalid",
    "LookupAnswer",
    "Projection",
    "TooManyKeys",
    "lookup",
    "project",
]
