"""Who was asked about, so that the one concerned can find it and nobody else can read it.

A personal number has too few values for a plain hash: all of them can be tried in seconds. Under a key that
lies outside the ledger and the usage lake, the hashes tell nothing to whoever holds only those two.
"""

import hmac
from functools import lru_cache


def subject_hash(key: bytes, identifier: str) -> str:
    """HMAC-SHA256 (RFC 2104) of an identifier as 64 lower-case hex digits.

    The same key and identifier always give the same hash, so `list_contains(subjects, '<hash>')` finds the calls.
    Blanks around the identifier do not count.
    """
    # A body may hold half a surrogate pair; it is hashed as it came, since a refused call is on record too.
    keyed = _keyed(key).copy()
    keyed.update(identifier.strip().encode("utf-8", "surrogatepass"))
    return keyed.hexdigest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    """A process has one key; what depends on it alone is worked out once."""
    return hmac.new(key, digestmod="sha256")
