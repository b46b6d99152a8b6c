"""The demo's cast: a municipality, a supplier, its system, an agreement, fictitious data.

Everything goes through the same doors that an operator uses; only the decisions (who, what for) are made here.
Each step leaves alone what is there already, so that a demo that was interrupted goes on where it stopped.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from control import Agreements, ControlStore, Organisation, OrganisationKind, ServiceTerms, Terms, TestAuthority
from kernel import AgreementId, ServiceName, SystemId, Window
from replica import Lake
from runtime.client import Profile
from runtime.clock import CLOCK
from runtime.demo_people import DINA, NINA, OTTO, hire
from runtime.demo_source import prepare_source
from runtime.environment import settings_of
from runtime.files import write_whole
from runtime.founding import found_instance
from runtime.instance import Instance
from runtime.migrated import open_control
from runtime.mirroring import Mirroring
from runtime.processes import Addresses
from runtime.ssh_keys import new_ssh_key
from runtime.tries import OPERATORS_PROFILE
from schemas import SHIPPED, load_registers
from sync import Progress, RunReport, write_testdata

PROFILE: Final = "demo"
OPERATOR: Final = ("87654321", "Korsbæk Drift")
MUNICIPALITY: Final = ("11111111", "Korsbæk Kommune")
SUPPLIER: Final = ("12345678", "Fiktive Fagsystemer ApS")
SERVICES: Final = (
    "cpr-persons", "cpr-persons-extract", "cpr-person-search", "municipalities", "municipalities-extract",
    "cvr-companies", "cvr-companies-extract", "cvr-units", "cvr-units-extract", "classes", "classes-extract",
    "roads", "roads-extract", "authorities", "authorities-extract",
    "korsbaek-places", "korsbaek-residents", "korsbaek-orders", "korsbaek-overview", "korsbaek-notes",
    "korsbaek-notes-update", "cpr-number-check", "cvr-number-check", "cpr-person-municipality", "class-hierarchy",
    "cpr-person-events",
    "cpr-person-base-data-extended-5", "cpr-query-3", "cvr-online-2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that is ready to run. persons: how many the register holds."""

    instance: Instance
    profile: Profile
    agreement: AgreementId
    persons: int
    reports: tuple[RunReport, ...]


def set_the_stage(
    root: Path,
    *,
    persons: int,
    seed: int,
    host: str = "127.0.0.1",
    api_port: int = 8443,
    sftp_port: int = 2222,
    services: tuple[str, ...] = SERVICES,
    tell: Callable[[str], None],
    progress: Callable[[Progress], None] | None = None,
) -> Stage:
    """Make the instance with its cast and its data, as far as it is not there yet.

    services   those that the agreement names
    """
    tell("Making the instance")
    instance = found_instance(root, environment="test", host=host, api_port=api_port, sftp_port=sftp_port)
    prepare_source(instance, OPERATOR, port=9443 if api_port else 0)
    settings = settings_of(instance)
    tell("Registering a municipality, a supplier, its system and their agreement")
    with open_control(instance, settings) as control:
        profile, agreement = _cast(instance, control, services)
    if not any((instance.inbox / "cpr").glob("d*")):
        tell(f"Writing {persons:,} fictitious persons, companies and the other registers")
        write_testdata(instance.inbox, persons, seed)
    tell("Mirroring the registers")
    mirroring = Mirroring.of(instance, settings, CLOCK)
    with Lake.open(instance.lake, settings.replica, write=True) as lake:
        reports = tuple(mirroring.run(source, lake, progress) for source in mirroring.sources)
        dataset = next(each for each in mirroring.registers.datasets if each.id == "cpr.persons")
        info = lake.info(dataset)
        chosen = _somebody(lake.scan(dataset, columns=["pnr", "status", "protections", "address_text"]))
    note = {"key": "demo", "record": {"pnr": chosen, "text": "Ring i morgen", "weight": 2}}
    for name, body in (("person", {"key": chosen}), ("resident", {"pnr": chosen}), ("note", note)):
        write_whole(profile.folder / f"{name}.json", json.dumps(body).encode())
    return Stage(instance, profile, agreement, info.rows if info else 0, reports)


def write_ssh_config(profile: Profile, addresses: Addresses) -> None:
    """How OpenSSH reaches the SFTP server: `sftp -F ssh_config knudepunkt:`."""
    host = "127.0.0.1" if addresses.sftp[0] in {"0.0.0.0", "::"} else addresses.sftp[0]  # noqa: S104
    lines = {
        "HostName": host,
        "Port": str(addresses.sftp[1]),
        "User": PROFILE,
        "IdentityFile": f'"{profile.ssh_key}"',
        "IdentitiesOnly": "yes",
        # The key is looked up under this name, whatever the address and port.
        "HostKeyAlias": "knudepunkt",
        "UserKnownHostsFile": f'"{profile.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    text = "Host knudepunkt\n" + "".join(f"    {name} {value}\n" for name, value in lines.items())
    write_whole(profile.folder / "ssh_config", text.encode())


def _cast(instance: Instance, control: ControlStore, services: tuple[str, ...]) -> tuple[Profile, AgreementId]:
    municipality = control.find_organisation(MUNICIPALITY[0]) or control.add_organisation(
        OrganisationKind.MUNICIPALITY, *MUNICIPALITY
    )
    supplier = control.find_organisation(SUPPLIER[0]) or control.add_organisation(OrganisationKind.SUPPLIER, *SUPPLIER)
    operator = control.find_organisation(OPERATOR[0]) or control.add_organisation(OrganisationKind.OPERATOR, *OPERATOR)
    for owner, person in ((supplier, NINA), (municipality, DINA), (operator, OTTO)):
        hire(instance, control, owner, person)
    _system(instance, control, operator, OPERATORS_PROFILE, "Watches the platform.")
    system, profile = _system(instance, control, supplier, PROFILE, "Tries the platform.")
    agreements = Agreements(control, load_registers(SHIPPED, instance.registers))
    live = [each for each in agreements.all(system=system) if each.live(CLOCK.now())]
    if live:
        return profile, live[0].id
    return profile, agreements.request(municipality.id, system, terms(services), Window(CLOCK.now())).id


def terms(services: tuple[str, ...] = SERVICES) -> Terms:
    """What the demo's agreement says, of these services."""
    return Terms(
        services={ServiceName(name): ServiceTerms() for name in services},
        purpose="To try the platform with fictitious data.",
        legal_basis="None is needed: nobody in the data exists.",
        reason="A first successful call.",
    )


def _system(
    instance: Instance, control: ControlStore, owner: Organisation, name: str, purpose: str
) -> tuple[SystemId, Profile]:
    """A system of an organisation, and the profile with which it calls."""
    owned = [system for system in control.systems() if system.organisation == owner.id and system.name == name]
    system = (
        owned[0] if owned else control.add_system(owner.id, name, purpose=purpose, contact="nobody@example.invalid")
    )
    profile = Profile(instance.clients / name)
    if not profile.certificate.exists():
        _make_profile(instance, control, profile, system.id, owner)
    return system.id, profile


def _make_profile(
    instance: Instance, control: ControlStore, profile: Profile, system: SystemId, owner: Organisation
) -> None:
    profile.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = TestAuthority.open_or_create(instance.authority)
    issued = authority.issue_system(owner.cvr, owner.name, profile.folder.name)
    private, public = new_ssh_key(profile.folder.name)
    control.bind_certificate(system, issued.cert_pem, trust=instance.trust)
    control.bind_ssh_key(system, public.decode())
    host_key = instance.host_key.with_suffix(".pub").read_text().split()
    write_whole(profile.authority, authority.ca_pem, 0o644)
    write_whole(profile.key, issued.key_pem)
    write_whole(profile.ssh_key, private)
    write_whole(profile.known_hosts, f"knudepunkt {host_key[0]} {host_key[1]}\n".encode(), 0o644)
    # Last: a profile with a certificate is whole.
    write_whole(profile.certificate, issued.cert_pem, 0o644)


def _somebody(rows: pa.RecordBatchReader) -> str:
    """A living person with an address and without protection, so that the first call shows something."""
    first = ""
    for batch in rows:
        for row in batch.to_pylist():
            first = first or row["pnr"]
            if row["status"] == "01" and not row["protections"] and row["address_text"]:
                return str(row["pnr"])
    return first
