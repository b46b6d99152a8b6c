"""The fictitious source system beside a demo: where it is, what the platform shows it, and its process."""

import socket
import subprocess
import sys
import time
from typing import Final

from control import TestAuthority
from runtime.client import NotReady
from runtime.environment import settings_of
from runtime.files import write_whole
from runtime.instance import Instance

SOURCE: Final = "korsbaek"
_SECTION: Final = """
# A fictitious source system, which `knudepunkt demo` starts beside the platform.
[live.sources.{source}]
url = "https://localhost:{port}"
"""
_PATIENCE_S: Final = 30.0


def prepare_source(instance: Instance, operator: tuple[str, str], *, port: int) -> None:
    """Say where the source will be, and make what the platform shows it. Leaves alone what is there already.

    operator   CVR number and name of who runs the platform
    port       0 for one that is free
    """
    certificate, key = instance.secrets / "platform.pem", instance.secrets / "platform.key"
    if not certificate.exists():
        issued = TestAuthority.open_or_create(instance.authority).issue_system(*operator, "platform")
        write_whole(key, issued.key_pem)
        write_whole(certificate, issued.cert_pem, 0o644)
    text = instance.settings_file.read_text(encoding="utf-8")
    if f"[live.sources.{SOURCE}]" not in text:
        section = _SECTION.format(source=SOURCE, port=port or _free_port())
        write_whole(instance.settings_file, (text + section).encode(), 0o644)


def start_source(instance: Instance) -> "subprocess.Popen[bytes] | None":
    """Start it in the background; it ends with the platform. None where it answers already. Raises NotReady."""
    port = _port_of(instance)
    if _answers(port):
        return None
    with (instance.logs / "source-system.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runtime.cli", "source-system", "--instance", str(instance.root),
             "--port", str(port), "--beside"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/",
        )  # fmt: skip
    until = time.monotonic() + _PATIENCE_S
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise NotReady(
                f"the fictitious source system does not answer on port {port}",
                remedy=f"see {instance.logs}/source-system.log",
            )
        time.sleep(0.1)
    return process


def _port_of(instance: Instance) -> int:
    return int(settings_of(instance).live.sources[SOURCE].url.rpartition(":")[2])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
