from typing import Final

from kernel import NotFound, NotIdentified, RequestInvalid

BODY: Final = "sharing.body"
"""The rule that a question's body is a JSON object."""


class SharingTokenMissing(NotIdentified):
    code = "sharing_token_missing"
    title = "The call shows no token"


class SharingUnknown(NotFound):
    code = "sharing_unknown"
    title = "There is no such share, schema, table or file"


class SharingRequestInvalid(RequestInvalid):
    code = "sharing_request_invalid"
    title = "The question to the share cannot be understood"


class SharingUnsupported(RequestInvalid):
    """The protocol has it, and not every server must."""

    code = "sharing_unsupported"
    title = "The share does not offer this"
