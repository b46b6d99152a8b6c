"""`knudepunkt circle`: whom a consumer follows, over the wire, as its system says it."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table

if TYPE_CHECKING:
    import httpx2

    from extract import Filter

app = typer.Typer(help="Circles of persons: whom a subscriber follows.", no_args_is_help=True)

AT_ONCE: Final = 1_000
"""Filters of one call."""
_MISSING: Final = 3
"""The exit code when some numbers are nobody's, as that of lookups."""

ServiceOption = Annotated[str, typer.Option(help="An extract service of persons.")]
ClientOption = Annotated[str, typer.Option(help="Client profile that makes the calls.")]
AgreementOption = Annotated[str | None, typer.Option(help="Agreement to call under, when there are several.")]
NumbersOption = Annotated[
    str | None, typer.Option(help="File of personal numbers, one per line; - for standard input.")
]
MunicipalityOption = Annotated[list[str] | None, typer.Option(help="Code of a municipality. May be repeated.")]
AgeOption = Annotated[list[str] | None, typer.Option(help="Two ages in whole years, as 0-17. May be repeated.")]
EventOption = Annotated[list[str] | None, typer.Option(help="Code of an event, as A01. May be repeated.")]
EverybodyOption = Annotated[bool, typer.Option("--everybody", help="Everybody whom the agreement covers.")]
SERVICE: Final = "cpr-persons-extract"


@app.command()
def add(
    numbers: NumbersOption = None,
    municipality: MunicipalityOption = None,
    age: AgeOption = None,
    event: EventOption = None,
    everybody: EverybodyOption = False,
    service: ServiceOption = SERVICE,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: ClientOption = "demo",
    agreement: AgreementOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow persons: by number, municipality, age, event, or everybody. Exit code 3 when a number is nobody's.

    A thousand filters are one call, and one change. Run it again after it was stopped: what stands, stands.

    Examples:

    `knudepunkt circle add --numbers clients.txt`

    `knudepunkt circle add --municipality 851 --age 0-17 --event A21`

    `list-of-clients | knudepunkt circle add --numbers - --json`
    """
    wanted = _filters(numbers, municipality, age, event, everybody=everybody)
    _change("add", wanted, service, instance, client, agreement, as_json=as_json)


@app.command()
def remove(
    numbers: NumbersOption = None,
    municipality: MunicipalityOption = None,
    age: AgeOption = None,
    event: EventOption = None,
    everybody: EverybodyOption = False,
    everything: Annotated[bool, typer.Option("--all", help="All filters of the circle.")] = False,
    service: ServiceOption = SERVICE,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: ClientOption = "demo",
    agreement: AgreementOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow persons no more. The next file names whom it holds no more.

    Examples:

    `knudepunkt circle remove --numbers moved.txt`

    `knudepunkt circle remove --event A21`

    `knudepunkt circle remove --all`
    """
    if everything:
        if numbers or municipality or age or event or everybody:
            raise typer.BadParameter("--all stands alone")
        with _calling(instance, client, agreement) as call:
            gone = call.checked("DELETE", service).json()["removed"]
        print_json({"removed": gone}) if as_json else console().print(f"{gone:,} filters removed")
        return
    wanted = _filters(numbers, municipality, age, event, everybody=everybody)
    _change("remove", wanted, service, instance, client, agreement, as_json=as_json)


@app.command()
def show(
    numbers: Annotated[bool, typer.Option("--numbers", help="The personal numbers too, not only how many.")] = False,
    service: ServiceOption = SERVICE,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: ClientOption = "demo",
    agreement: AgreementOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the filters of the circle.

    Examples:

    `knudepunkt circle show`

    `knudepunkt circle show --numbers --json`
    """
    with _calling(instance, client, agreement) as call:
        found = call.checked("GET", service).json()["filters"]
    told = [each for each in found if numbers or each["kind"] != "number"]
    hidden = len(found) - len(told)
    if as_json:
        print_json({"filters": told, "numbers": sum(each["kind"] == "number" for each in found)})
        return
    if not found:
        console().print("The circle has no filter: it holds nobody.")
        return
    rows = [(each["kind"], each["value"]) for each in told] + ([("number", f"{hidden:,} of them")] if hidden else [])
    print_table("", ("kind", "value"), rows)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Filters, and where numbers among them were read: their lines, from 1."""

    filters: list["Filter"]
    lines: list[int | None] = field(default_factory=list)


def _filters(
    numbers: str | None, municipality: list[str] | None, age: list[str] | None, event: list[str] | None, *,
    everybody: bool,
) -> _Wanted:  # fmt: skip
    """Raises CircleFilterInvalid, which names the line and not the number."""
    from extract import Filter, FilterKind

    found = _Wanted([])
    others = ((FilterKind.MUNICIPALITY, municipality), (FilterKind.AGE, age), (FilterKind.EVENT, event))
    for kind, values in others:
        for each in values or ():
            found.filters.append(Filter.of(kind, each))
    if everybody:
        found.filters.append(Filter.of(FilterKind.EVERYBODY))
    found.lines.extend([None] * len(found.filters))
    for line, text in _lines(numbers):
        found.filters.append(_number(line, text))
        found.lines.append(line)
    if not found.filters:
        raise typer.BadParameter("no filter: say --numbers, --municipality, --age, --event or --everybody")
    return found


def _number(line: int, text: str) -> "Filter":
    from extract import Filter, FilterKind
    from extract.delivery.faults import CircleFilterInvalid

    try:
        return Filter.of(FilterKind.NUMBER, text)
    except CircleFilterInvalid:
        raise CircleFilterInvalid(
            f"line {line:,} is no personal number", remedy="give ten digits a line; nothing was changed",
            rule="circle.number",
        ) from None  # fmt: skip


def _lines(source: str | None) -> Iterator[tuple[int, str]]:
    if source is None:
        return
    if source == "-":
        read = sys.stdin.read()
    else:
        path = Path(source)
        if not path.is_file():
            raise typer.BadParameter("--numbers names no file")
        read = path.read_text(encoding="utf-8", errors="replace")
    yield from ((number, line.strip()) for number, line in enumerate(read.splitlines(), 1) if line.strip())


def _change(
    verb: str, wanted: _Wanted, service: str, instance: Path, client: str, agreement: str | None, *, as_json: bool
) -> None:
    from rich.progress import track

    said: Counter[str] = Counter()
    missing: list[int] = []
    with _calling(instance, client, agreement) as call:
        starts = range(0, len(wanted.filters), AT_ONCE)
        drawn = console(stderr=True)
        for start in track(starts, "Changing the circle", console=drawn, transient=True, disable=len(starts) < 2):
            some = slice(start, start + AT_ONCE)
            body = {verb: [{"kind": each.kind, "value": each.value} for each in wanted.filters[some]]}
            outcomes = call.checked("POST", service, body).json()["added" if verb == "add" else "removed"]
            said.update(outcomes)
            lines = zip(outcomes, wanted.lines[some], strict=True)
            missing += [line for outcome, line in lines if outcome == "NON_EXISTING_PNR" and line is not None]
    if as_json:
        print_json({"outcomes": said, "lines_of_nobody": missing})
    else:
        print_table("", ("outcome", "filters"), [(name, f"{count:,}") for name, count in sorted(said.items())])
        if missing:
            what = "Nobody whom the agreement covers has" if verb == "add" else "The circle did not have"
            shown = ", ".join(f"{each:,}" for each in missing[:20]) + (", ..." if len(missing) > 20 else "")
            console(stderr=True).print(f"{what} the numbers of these lines: {shown}")
    if missing and verb == "add":
        raise typer.Exit(_MISSING)


@dataclass(frozen=True, slots=True)
class _Calling:
    http: "httpx2.Client"
    headers: dict[str, str]

    def checked(self, method: str, service: str, body: dict[str, Any] | None = None) -> "httpx2.Response":
        from runtime.client import checked

        return checked(self.http.request(method, f"/v1/services/{service}/circle", json=body, headers=self.headers))


@contextmanager
def _calling(instance: Path, client: str, agreement: str | None) -> Iterator[_Calling]:
    from runtime.client import Profile, open_client
    from runtime.instance import Instance

    found = Instance.find(instance)
    with open_client(found, Profile.of(found, client)) as http:
        yield _Calling(http, {"Knudepunkt-Agreement": agreement} if agreement else {})
