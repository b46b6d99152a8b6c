"""What can be wrong with a lookup. No message repeats a key: it may be a personal number."""

from kernel import RequestInvalid


class KeyInvalid(RequestInvalid):
    """A key does not have the shape that the dataset's contract gives its keys."""

    code = "key_invalid"
    title = "A key does not have the right shape"


class TooManyKeys(RequestInvalid):
    """One call may ask about a limited number of keys; the agreement says how many."""

    code = "too_many_keys"
    title = "Too many keys in one call"


class NotSearchable(RequestInvalid):
    """A search by a column that the service does not offer for that."""

    code = "not_searchable"
    title = "The service is not searched by this"
