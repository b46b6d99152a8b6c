"""What a live service declares, as it stands in its file; its form is in schemas/live.py."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.joining import Joining
from schemas.live import (
    INPUT,
    Component,
    Fallback,
    Method,
    Orchestration,
    PassThrough,
    Redirect,
    Step,
    Told,
)

_NAME: Final = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
_FIELD: Final = r"^[a-z][a-z0-9_]*$"
_PATH: Final = r"^(/[A-Za-z0-9._~-]+)*/?$"
_HEADER: Final = r"^[a-z][a-z0-9-]*$"
OURS: Final = re.compile(
    r"(connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|content-length|expect|date|server|via"
    r"|authorization|cookie|set-cookie|client-cert|client-cert-chain|forwarded|location|content-encoding"
    r"|accept-encoding|traceparent|tracestate|server-timing|age|cache-control)$|(proxy|x-forwarded|knudepunkt)-"
)
"""Fields that no descriptor lets through: they belong to one connection, say who somebody is, or are set here."""


def _compiled(text: str) -> Joining:
    return Joining.of(text)


def _path(text: str) -> str:
    if any(part in {".", ".."} for part in text.split("/")):
        raise ValueError("a path has no dots for steps")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from None
    return text


def _header(name: str) -> str:
    if OURS.match(name):
        raise ValueError(f"{name} belongs to the platform or to one connection")
    return name


Source = Annotated[str, Field(pattern=_NAME, max_length=63)]
Path = Annotated[str, Field(pattern=_PATH, max_length=200), AfterValidator(_path)]
Header = Annotated[str, Field(pattern=_HEADER, max_length=60), AfterValidator(_header)]
Expression = Annotated[str, AfterValidator(lambda text: (_compiled(text), text)[1])]
Seconds = Annotated[float, Field(gt=0, le=60, strict=False)]
Bytes = Annotated[int, Field(ge=1, le=1_073_741_824)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RedirectBody(Body):
    source: Source
    path: Path = ""
    permanent: bool = False

    def to_live(self) -> Redirect:
        return Redirect(source=self.source, path=self.path, permanent=self.permanent)


class FallbackBody(Body):
    key: Expression
    answer: Expression | None = None


class PassThroughBody(Body):
    source: Source
    path: Path = ""
    methods: Annotated[list[Annotated[Method, Field(strict=False)]], Field(min_length=1)]
    query: list[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=60)]] = []
    request_headers: list[Header] = []
    response_headers: list[Header] = []
    tell: list[Annotated[Told, Field(strict=False)]] = []
    deadline_s: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=3)] = 0
    hedge_after_s: Seconds | None = None
    failures: list[Annotated[int, Field(ge=500, le=599)]] = [500, 502, 503, 504]
    most_request_bytes: Bytes = 1_048_576
    most_response_bytes: Bytes = 16_777_216
    subject: Expression | None = None
    fallback: FallbackBody | None = None

    def to_live(self, seconds: float) -> PassThrough:
        fallback = self.fallback
        return PassThrough(
            source=self.source, path=self.path, methods=frozenset(self.methods), query=frozenset(self.query),
            request_headers=frozenset(self.request_headers), response_headers=frozenset(self.response_headers),
            tell=frozenset(self.tell), deadline_s=self.deadline_s or seconds, retries=self.retries,
            hedge_after_s=self.hedge_after_s, failures=frozenset(self.failures),
            most_request_bytes=self.most_request_bytes, most_response_bytes=self.most_response_bytes,
            subject=None if self.subject is None else Joining.of(self.subject),
            fallback=None if fallback is None else Fallback(
                key=Joining.of(fallback.key),
                answer=None if fallback.answer is None else Joining.of(fallback.answer),
            ),
        )  # fmt: skip


class StepBody(Body):
    service: Annotated[str, Field(pattern=_NAME)]
    key: Expression | None = None
    body: Expression | None = None
    required: bool = True

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> "StepBody":
        if (self.key is None) == (self.body is None):
            raise ValueError("a step has a `key` to look up, or a `body` to call with")
        return self


class OrchestrationBody(Body):
    input: Annotated[
        dict[Annotated[str, Field(pattern=_FIELD)], Annotated[str, AfterValidator(_pattern)]], Field(min_length=1)
    ]
    steps: Annotated[dict[Annotated[str, Field(pattern=_FIELD)], StepBody], Field(min_length=1, max_length=20)]
    answer: Expression
    deadline_s: Seconds | None = None

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "OrchestrationBody":
        known = {INPUT, *self.steps}
        if INPUT in self.steps:
            raise ValueError(f"no step may be called {INPUT}")
        for where, text in self._expressions():
            if unknown := sorted(Joining.of(text).roots - known):
                raise ValueError(f"{where} names {unknown[0]}, and there is no such step; {INPUT} is the request")
        if circle := sorted(_in_a_circle({name: step.after for name, step in self._steps().items()})):
            raise ValueError(f"the steps {', '.join(circle)} wait for each other")
        return self

    def _expressions(self) -> list[tuple[str, str]]:
        return [("answer", self.answer)] + [
            (f"steps.{name}", step.key or step.body or "") for name, step in self.steps.items()
        ]

    def _steps(self) -> dict[str, Step]:
        made = {}
        for name, step in self.steps.items():
            key, body = (None if text is None else Joining.of(text) for text in (step.key, step.body))
            roots = (key or body or Joining.of(INPUT)).roots
            made[name] = Step(
                name=name, service=step.service, key=key, body=body, required=step.required, after=roots - {INPUT}
            )
        return made

    def to_live(self, seconds: float) -> Orchestration:
        return Orchestration(
            input=self.input, steps=tuple(self._steps().values()), answer=Joining.of(self.answer),
            deadline_s=self.deadline_s or seconds,
        )  # fmt: skip


class ComponentBody(Body):
    name: Annotated[str, Field(pattern=_NAME)]
    options: dict[str, Any] = {}

    def to_live(self) -> Component:
        return Component(name=self.name, options=self.options)


def _in_a_circle(after: dict[str, frozenset[str]]) -> set[str]:
    """Of steps and what each waits for: those that can never begin."""
    left = dict(after)
    while ready := {name for name, names in left.items() if not names & left.keys()}:
        for name in ready:
            del left[name]
    return set(left)
