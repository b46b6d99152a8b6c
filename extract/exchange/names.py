"""Names in the exchange. Pure.

A name is one name: what could be a path, an option, a hidden file, or look like another name is no name here.
"""

import unicodedata
from typing import Final

METADATA: Final = ".metadata"
TRIGGER: Final = ".trigger"
RECEIPT: Final = ".sftpreceipt"
COMPANIONS: Final = (METADATA, TRIGGER, RECEIPT)
MOST_BYTES: Final = 240
"""Of a name in UTF-8: with the longest ending of a companion it is still a name of the file system (255)."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean_name(name: str) -> str | None:
    """A name in its one form (NFC), None for what is not taken as a name."""
    name = unicodedata.normalize("NFC", name)
    if not name or name != name.strip() or name[0] in ".-~" or name[-1] == ".":
        return None
    if any(sign in '/\\:*?"<>|' or unicodedata.category(sign) in _UNSEEN for sign in name):
        return None
    try:
        return name if len(stem_of(name).encode()) <= MOST_BYTES else None
    except UnicodeEncodeError:
        return None


def stem_of(name: str) -> str:
    """The file that a companion is about; any other name is its own."""
    for ending in COMPANIONS:
        if name.endswith(ending) and len(name) > len(ending):
            return name.removesuffix(ending)
    return name


def is_companion(name: str) -> bool:
    return stem_of(name) != name
