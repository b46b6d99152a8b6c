"""Integrations: how a call gets its answer. So far by the replica road: from the platform's own mirror."""

from integrations.errors import ColumnsNotCovered, ColumnUnknown, KeyInvalid, TooManyKeys
from integrations.invoke import LookupAnswer, lookup
from integrations.projection import Projection, project

__all__ = [
    "ColumnUnknown",
    "ColumnsNotCovered",
    "KeyInvalid",
    "LookupAnswer",
    "Projection",
    "TooManyKeys",
    "lookup",
    "project",
]
