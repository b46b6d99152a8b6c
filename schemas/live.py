"""What a service that is not answered from the mirror declares. One of these stands in its descriptor, under the name
of its integration type:

    redirect:
      source: school-places               # a source by the name that the operator's settings give it an address by
      path: /places                       # below that address; nothing that a caller sends can change it
      permanent: false                    # optional: 308 in place of 307

    pass_through:
      source: residents
      path: /residents
      methods: [POST]                     # of GET, HEAD, POST, PUT, PATCH, DELETE
      query: [page]                       # optional: query parameters that may be sent on
      request_headers: [accept]           # optional: header fields that are sent on beside Content-Type
      response_headers: [etag]            # optional: header fields that are handed back beside Content-Type
      tell: [municipality, system]        # optional: what the source is told of the caller: also agreement
      deadline_s: 3.0                     # optional: by default the seconds of the SLA class
      retries: 1                          # optional: of methods that may be repeated, and of calls that never arrived
      hedge_after_s: 0.5                  # optional: ask a second time when no answer has come by then; off by default
      failures: [500, 502, 503, 504]      # optional: statuses that mean that the source failed
      most_request_bytes: 1048576         # optional
      most_response_bytes: 16777216       # optional
      subject: pnr                        # optional: where in the JSON body the identifier stands that is asked about
      fallback:                           # optional, of a lookup: the replica `dataset` answers when the source cannot
        key: pnr                          # where in the JSON body its key stands (JMESPath)
        answer: "{resident: record}"      # optional: the form of the answer, made from `record` (JMESPath)

    orchestration:
      input: {pnr: "[0-9]{10}"}           # fields of the request's body, with the patterns of their whole values
      deadline_s: 4.0                     # optional
      steps:                              # by name; each begins when the steps that it names are done
        person: {service: cpr-persons, key: input.pnr}
        home: {service: residents, body: "{pnr: input.pnr}", required: false}
      answer: "{name: person.name, home: home}"

    component:
      name: cpr-number-check              # one of the packaged functions; `options` are its own
      options: {}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from schemas.joining import Joining

INPUT: Final = "input"
"""The name under which expressions of an orchestration see the request's body."""


class Method(StrEnum):
    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"

    @property
    def repeatable(self) -> bool:
        """Whether the same request twice is as good as once (RFC 9110, 9.2.2)."""
        return self not in {Method.POST, Method.PATCH}


class Told(StrEnum):
    """What a source may be told of whoever calls."""

    MUNICIPALITY = "municipality"
    SYSTEM = "system"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    source: str
    path: str
    permanent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """key      the key's place in the request's body
    answer   the form of the answer, made from `record`; None for the record itself under `record`
    """

    key: Joining
    answer: Joining | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassThrough:
    """Header fields in lower case.

    hedge_after_s   None when no second request is ever sent beside the first
    subject         where in the body the identifier stands that the ledger keeps the keyed hash of; of a service with
                    a fallback, that is its key
    """

    source: str
    path: str
    methods: frozenset[Method]
    query: frozenset[str] = frozenset()
    request_headers: frozenset[str] = frozenset()
    response_headers: frozenset[str] = frozenset()
    tell: frozenset[Told] = frozenset()
    deadline_s: float = 1.0
    retries: int = 0
    hedge_after_s: float | None = None
    failures: frozenset[int] = frozenset({500, 502, 503, 504})
    most_request_bytes: int = 1_048_576
    most_response_bytes: int = 16_777_216
    subject: Joining | None = None
    fallback: Fallback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an orchestration: a lookup by `key`, or a call of a live service with `body`.

    after      steps that must be done first: those that its expression names
    required   whether the orchestration fails with it; else its answer is null, and the failure is told
    """

    name: str
    service: str
    key: Joining | None = None
    body: Joining | None = None
    required: bool = True
    after: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestration:
    """input   field of the request's body -> pattern of its whole value"""

    input: Mapping[str, str]
    steps: tuple[Step, ...]
    answer: Joining
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """options   what the component itself understands"""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


Live = Redirect | PassThrough | Orchestration | Component
