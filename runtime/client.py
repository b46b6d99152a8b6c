"""A consumer system's side of the wire: its profile on disk and a small HTTPS client, for the command line.

The command line's `lookup` and `extract` go through the front door like everybody else: with a certificate, under an
agreement, into the ledger. There is no side door for operators.
"""

import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import httpx2

from kernel import OperatorMistake, PlatformError
from runtime.instance import Instance
from runtime.processes import Addresses


class ProfileMissing(OperatorMistake):
    code = "profile_missing"
    title = "There is no such client profile"


class NotRunning(OperatorMistake):
    code = "not_running"
    title = "The instance does not run"


class Refused(PlatformError):
    """The platform answered with a problem document (RFC 9457); its own code and remedy are kept."""

    title = "The platform refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(
            f"{status} {problem.get('title', '')}: {problem.get('detail', '')}",
            remedy=str(problem.get("remedy", "")),
        )
        self.problem = problem
        self.code = str(problem.get("code", "unknown"))  # type: ignore[misc]


class ExtractDamaged(PlatformError):
    code = "extract_damaged"
    title = "The extract did not arrive whole"


@dataclass(frozen=True, slots=True)
class Profile:
    """The files that a consumer system holds: certificate, key, the authority to trust, SSH key, known hosts."""

    folder: Path

    @classmethod
    def of(cls, instance: Instance, name: str) -> "Profile":
        """Raises ProfileMissing."""
        profile = cls(instance.clients / name)
        if not profile.certificate.is_file():
            raise ProfileMissing(
                f"no profile {name!r} in {instance.clients}",
                remedy="`knudepunkt demo` makes the profile `demo`, `knudepunkt cert request SYSTEM` one for a system",
            )
        return profile

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def ssh_key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"


def addresses(instance: Instance) -> Addresses:
    """Where the instance answers. Raises NotRunning."""
    found = Addresses.of(instance)
    if found is None:
        raise NotRunning(f"no platform runs for {instance.root}", remedy="start it with `knudepunkt up --detach`")
    return found


@contextmanager
def open_client(instance: Instance, profile: Profile) -> Iterator[httpx2.Client]:
    """An HTTPS client that shows the profile's certificate and keeps its connection."""
    host, port = addresses(instance).api
    context = ssl.create_default_context(cafile=str(profile.authority))
    context.load_cert_chain(profile.certificate, profile.key)
    name = "localhost" if host in {"0.0.0.0", "::", "127.0.0.1"} else host  # noqa: S104
    try:
        with httpx2.Client(base_url=f"https://{name}:{port}", verify=context, timeout=60.0) as client:
            yield client
    except httpx2.TransportError as error:
        raise NotRunning(
            f"no answer from {name}:{port}: {error}", remedy="see `knudepunkt status` and the logs folder"
        ) from None


def checked(response: httpx2.Response) -> httpx2.Response:
    """The response itself, or Refused with what the problem document says."""
    if response.is_success:
        return response
    response.read()
    try:
        problem = response.json()
    except ValueError:
        problem = {"title": response.reason_phrase}
    raise Refused(response.status_code, problem)


def file_name_of(response: httpx2.Response) -> str:
    """The file name in Content-Disposition (RFC 6266), without any folder a server might put in it."""
    message = Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    return Path(message.get_filename("extract")).name


def manifest_path_of(response: httpx2.Response) -> str:
    """Where the manifest lies: the Link with relation `describedby` (RFC 8288)."""
    return str(response.links["describedby"]["url"])


class NotReady(PlatformError):
    code = "not_ready"
    title = "The platform did not get ready"


def wait_until_answering(
    instance: Instance, process: subprocess.Popen[bytes], *, patience_s: float = 60.0
) -> tuple[str, ...]:
    """Wait until the platform answers; gives the checks of /health/ready that do not hold yet.

    A register that was never delivered is not a fault of the start, so it does not keep us waiting. Raises NotReady
    when the parent ends or patience does.
    """
    deadline = time.monotonic() + patience_s
    # The very certificate that the instance shows: who issued it, and for which names, is not the question.
    context = ssl.create_default_context(cafile=str(instance.server_files()[0]))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    last = "it did not listen"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = f"it ended with exit code {process.returncode}"
            break
        found = Addresses.of(instance)
        if found is not None:
            try:
                address = f"https://localhost:{found.api[1]}/health/ready"
                answer = httpx2.get(address, verify=context, timeout=5.0)
                return tuple(name for name, holds in answer.json()["checks"].items() if not holds)
            except (httpx2.TransportError, ValueError, KeyError) as error:
                last = str(error)
        time.sleep(0.1)
    raise NotReady(last, remedy=f"see {instance.logs}/knudepunkt.log")
