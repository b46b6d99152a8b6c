"""What a client of Delta Sharing can read: the header `delta-sharing-capabilities`. Pure."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Capabilities:
    """told   the form of answers that the client named; None where it says nothing, which means parquet and is not told
           back
    ends   it reads a line that says that the answer is whole

    What is not told back was not taken up: `asyncquery` is answered at once, and readers' features are not needed.
    """

    told: ResponseFormat | None = None
    ends: bool = False

    @property
    def form(self) -> ResponseFormat:
        return self.told or ResponseFormat.PARQUET

    def told_back(self, *, ends: bool) -> list[tuple[bytes, bytes]]:
        """The header of an answer. ends   whether it has files, and so an end that can be told"""
        words = [] if self.told is None else [f"responseformat={self.told}"]
        if self.ends and ends:
            words.append("includeendstreamaction=true")
        return [(HEADER.encode(), ";".join(words).encode())] if words else []


def capabilities_of(header: str | None) -> Capabilities:
    """Of several forms that a client reads, parquet: every client does that with less. Raises SharingRequestInvalid."""
    told: dict[str, set[str]] = {}
    for capability in (header or "").split(";"):
        name, _, values = capability.partition("=")
        told.setdefault(name.strip().lower(), {each.strip().lower() for each in values.split(",")})
    read, form = told.get("responseformat"), None
    if read is not None:
        form = next((each for each in ResponseFormat if each in read), None)
        if form is None:
            raise invalid(f"{HEADER} names no response format that is offered", "send responseformat=parquet, or delta")
    return Capabilities(form, "true" in told.get("includeendstreamaction", ()))
