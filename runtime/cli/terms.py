"""Terms of an agreement as the command line takes them: a file, or options."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runtime.cli.desk import content_of

if TYPE_CHECKING:
    from api.rest.admin.terms import TermsWanted


def terms_of_file(path: Path) -> "TermsWanted":
    import msgspec
    import yaml

    from api.rest.admin.terms import TermsWanted

    try:
        return msgspec.convert(yaml.safe_load(content_of(path)), TermsWanted)
    except (msgspec.ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path.name}: {error}", param_hint="--file") from None


def terms_of_options(
    services: list[str], columns: list[str], own: list[str], purpose: str, legal_basis: str, reason: str,
    per_minute: int | None, per_day: int | None,
) -> "TermsWanted":  # fmt: skip
    from api.rest.admin.terms import LimitsWanted, ServiceWanted, TermsWanted

    if not services:
        raise typer.BadParameter("give --file, or --service at least once")
    named = {name: ServiceWanted() for name in services}
    for option, given in (("--columns", columns), ("--own", own)):
        for pair in given:
            service, _, listed = pair.partition("=")
            if service not in named or not listed:
                raise typer.BadParameter("takes one of the services, = and names with commas", param_hint=option)
            names = [name.strip() for name in listed.split(",")]
            if option == "--columns":
                named[service].columns = names
            else:
                named[service].own_municipality = tuple(names)
    return TermsWanted(
        services=named, purpose=purpose, legal_basis=legal_basis, reason=reason,
        limits=LimitsWanted(calls_per_minute=per_minute, calls_per_day=per_day),
    )  # fmt: skip
