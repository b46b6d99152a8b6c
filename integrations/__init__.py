"""Integrations: how a call gets its answer. So far by the replica road: from the platform's own mirror."""

from integrations.errors import KeyInvalid, NotSearchable, TooManyKeys
from integrations.invoke import LookupAnswer, RecordReader, ensure_within_limits, lookup
from integrations.projection import Projection, project
from integrations.search import SearchAnswer, find_by_key, search

__all__ = [
    "KeyInvalid",
    "LookupAnswer",
    "NotSearchable",
    "Projection",
    "RecordReader",
    "SearchAnswer",
    "TooManyKeys",
    "ensure_within_limits",
    "find_by_key",
    "lookup",
    "project",
    "search",
]
