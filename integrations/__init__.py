"""Integrations: how a call gets its answer: from the mirror, from the source itself, from several services joined, or
from a function that comes with the platform.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from integrations.asked import Asked, Begin, Came, Exchange, Next, Pause, Piecewise, Read, Reply, Road, Wanted, Work
    from integrations.breaker import Breaker
    from integrations.breakers import Breakers
    from integrations.carried import Desk, Visit
    from integrations.changes import changes_of
    from integrations.components import FUNCTIONS
    from integrations.editing import Edit, Write, Written, etag_of
    from integrations.errors import (
        KeyInvalid,
        NotSearchable,
        SourceAnswerInvalid,
        SourceBusy,
        SourceNotConfigured,
        SourceTooSlow,
        SourceUnreachable,
        TooManyKeys,
        WritingNotOffered,
    )
    from integrations.event_store import METADATA as EVENT_TABLES
    from integrations.event_store import EventSubscriptions
    from integrations.invoke import invoke
    from integrations.lookup import LookupAnswer, RecordReader, ensure_within_limits, lookup
    from integrations.passthrough import plain
    from integrations.projection import Projection, project
    from integrations.redirect import location
    from integrations.search import SearchAnswer, find_by_key, search
    from integrations.sources import LiveSettings, LiveSource

__all__ = [
    "EVENT_TABLES",
    "FUNCTIONS",
    "Asked",
    "Begin",
    "Breaker",
    "Breakers",
    "Came",
    "Desk",
    "Edit",
    "EventSubscriptions",
    "Exchange",
    "KeyInvalid",
    "LiveSettings",
    "LiveSource",
    "LookupAnswer",
    "Next",
    "NotSearchable",
    "Pause",
    "Piecewise",
    "Projection",
    "Read",
    "RecordReader",
    "Reply",
    "Road",
    "SearchAnswer",
    "SourceAnswerInvalid",
    "SourceBusy",
    "SourceNotConfigured",
    "SourceTooSlow",
    "SourceUnreachable",
    "TooManyKeys",
    "Visit",
    "Wanted",
    "Work",
    "Write",
    "WritingNotOffered",
    "Written",
    "changes_of",
    "ensure_within_limits",
    "etag_of",
    "find_by_key",
    "invoke",
    "location",
    "lookup",
    "plain",
    "project",
    "search",
]

hang_door(__name__)
