"""Which form of answer a client of Delta Sharing can read: the header `delta-sharing-capabilities`. Pure."""

from enum import StrEnum
from typing import Final

from api.sharing.moments import invalid

HEADER: Final = "delta-sharing-capabilities"


class ResponseFormat(StrEnum):
    """parquet   files and schema in the protocol's own words
    delta     as actions of a Delta log, for clients that read with Delta's own library
    """

    PARQUET = "parquet"
    DELTA = "delta"


def response_format(told: str | None) -> ResponseFormat | None:
    """What the client is answered in; None where it says nothing, which means parquet and is not told back.

    Of several that it reads, parquet: every client does that with less. Raises SharingRequestInvalid.
    """
    for capability in (told or "").split(";"):
        name, _, values = capability.partition("=")
        if name.strip().lower() == "responseformat":
            read = {each.strip().lower() for each in values.split(",")}
            found = next((form for form in ResponseFormat if form in read), None)
            if found is None:
                raise invalid(
                    f"{HEADER} names no response format that is offered", "send responseformat=parquet, or delta"
                )
            return found
    return None


def told_back(form: ResponseFormat | None) -> list[tuple[bytes, bytes]]:
    """The header of the answer."""
    return [] if form is None else [(HEADER.encode(), f"responseformat={form}".encode())]
