"""A house whose sources are real: the fictitious source system, as a process of its own, over mutual TLS."""

import json
import os
import select
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api import Doors
from control import ServiceTerms
from integrations import LiveSource
from kernel import ServiceName
from schemas import SHIPPED, Registers, Service, load_registers
from schemas.descriptor import read_service
from tests.api.house import AALBORG, House

LIVE = (
    "korsbaek-places", "korsbaek-residents", "korsbaek-orders", "korsbaek-overview", "cpr-number-check",
    "cvr-number-check", "cpr-person-municipality", "class-hierarchy",
)  # fmt: skip


@dataclass(slots=True)
class SourceSystem:
    """The process, and its address."""

    process: subprocess.Popen[str]
    url: str
    context: ssl.SSLContext

    def fault(self, mode: str, path: str, **more: Any) -> None:
        self._call("PUT", json.dumps({"mode": mode, "path": path, **more}).encode())

    def mend(self) -> None:
        self._call("DELETE", b"")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=60)

    def _call(self, method: str, body: bytes) -> None:
        port = urlsplit(self.url).port
        connection = HTTPSConnection("localhost", port, context=self.context, timeout=60)
        connection.request(method, "/faults", body)
        assert connection.getresponse().status == 200
        connection.close()


@contextmanager
def source_system(house: House, port: int = 0) -> Iterator[SourceSystem]:
    """The source system runs until the end, or until it is killed."""
    for name in ("platform", "source"):
        if not (house.root / f"{name}.pem").exists():
            if name == "platform":
                house.issue("platform")
            else:
                issued = house.authority.issue_server(["localhost"])
                (house.root / "source.pem").write_bytes(issued.cert_pem)
                (house.root / "source.key").write_bytes(issued.key_pem)
    files = ("--certificate", "source.pem", "--key", "source.key", "--authority", "trust/authority.pem")
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli", "source-system", "--port", str(port), *files],
        cwd=house.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], 30.0)[0], "the source system did not start"
        url = process.stdout.readline().strip()
        yield SourceSystem(process, url, house.context("platform"))
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stdout.close()


def live_doors(house: House, url: str | None, extra: Registers | None = None, **source: Any) -> Doors:
    """Doors with the source under its name; `extra` are registers of a test's own."""
    doors = house.doors()
    if url is not None:
        made = LiveSource(
            url=url, authority=Path("trust/authority.pem"), certificate=Path("platform.pem"), key=Path("platform.key"),
            **{"connect_s": 20.0, **source},
        )  # fmt: skip
        doors = replace(doors, sources={"korsbaek": made.below(house.root)})
    return doors if extra is None else replace(doors, registers=extra)


def with_services(folder: Path, **services: str) -> Registers:
    """The shipped registers, and services of a test's own: by name, the descriptor without what all of them have."""
    made: list[Service] = []
    for number, (key, text) in enumerate(services.items()):
        name = key.replace("_", "-")
        path = folder / f"{name}.service.yaml"
        path.write_text(
            f"name: {name}\nuuid: 5b0f2a1c-7e64-4d0a-9b53-1f6c8a2e{number:04}\nversion: 1.0.0\n"
            f"title: {{da: x, en: x}}\ndescription: {{da: x, en: x}}\nstatus: test\nsla_class: medium\n{text}",
            encoding="utf-8",
        )
        service, _, findings = read_service(path)
        assert service is not None, findings
        made.append(service)
    registers = load_registers(SHIPPED)
    return Registers(registers.contracts, (*registers.services, *made))


def agree_on(house: House, name: str, *services: str, **terms: Any) -> None:
    """One agreement more, of a new system with that name."""
    house.add_system(name)
    house.agree(name, name, AALBORG, {ServiceName(service): ServiceTerms(**terms) for service in services})
    house.settle()
