"""The open bulk face: Delta Sharing, for analysts' tools. Read, version, change feed.

    share = agreement    schema = register    table = extract service    version = snapshot

A token speaks for one agreement. Files have addresses that are signed, short-lived and good for whoever holds them, as
the protocol wants it; each is under the agreement's columns, rows and protection like every other extract.
"""

from api.sharing.desk import SharingDesk
from api.sharing.keeping import tidy_changes

__all__ = ["SharingDesk", "tidy_changes"]
