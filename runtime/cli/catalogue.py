"""`knudepunkt catalogue`: the services of an instance."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table

if TYPE_CHECKING:
    from schemas import Service


def catalogue(
    name: Annotated[str | None, typer.Argument(help="One service, with the columns an agreement may name.")] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show the services: what they answer, their status, and when those end that are deprecated.

    Examples:

    `knudepunkt catalogue`

    `knudepunkt catalogue cpr-persons`
    """
    from runtime.instance import Instance
    from schemas import SHIPPED, load_registers

    registers = load_registers(SHIPPED, Instance.find(instance).registers)
    if name is None:
        services = sorted(registers.services, key=lambda each: each.name)
        if as_json:
            print_json([_told(each) for each in services])
        else:
            print_table(
                "",
                ("service", "version", "status", "ends", "type", "answers", "title"),
                [
                    (each.name, each.version, _status(each), each.ends, each.service_type.value,
                     f"{each.sla_class.seconds:g} s", each.title["en"])
                    for each in services
                ],
            )  # fmt: skip
        return
    service = registers.service(name)
    columns = [] if service.dataset is None else registers.dataset(service.dataset).columns
    if as_json:
        listed = [
            {"name": each.name, "type": each.kind.value, "classification": each.classification} for each in columns
        ]
        print_json(_told(service) | {"columns": listed})
        return
    out = console()
    out.print(f"{service.name} {service.version} ({_status(service)}): {service.title['en']}", markup=False)
    for words in (service.description["en"], service.terms, service.price_model, service.test_data):
        if words:
            out.print(words, markup=False)
    if service.ends is not None:
        onwards = f"; move to {service.successor}" if service.successor else ""
        out.print(f"It answers until {service.ends}{onwards}.", markup=False)
    if columns:
        print_table(
            "",
            ("column", "type", "classification", "description"),
            [(each.name, each.kind.value, each.classification.value, each.description) for each in columns],
        )


def _told(service: "Service") -> dict[str, Any]:
    return {
        "name": service.name, "uuid": service.uuid, "version": service.version, "title": service.title,
        "status": _status(service), "ends": service.ends, "successor": service.successor,
        "type": service.service_type, "integration_type": service.integration_type, "dataset": service.dataset,
        "sla_class": service.sla_class, "terms": service.terms, "price_model": service.price_model,
        "test_data": service.test_data,
    }  # fmt: skip


def _status(service: "Service") -> str:
    from kernel import COPENHAGEN
    from runtime.clock import CLOCK

    return service.status_on(CLOCK.now().astimezone(COPENHAGEN).date()).value
