"""What `knudepunkt up` runs: which roles, on which sockets."""

import os

from runtime.files import write_whole
from runtime.instance import Instance
from runtime.processes import Addresses, Parent, listen, stop_on_signals
from runtime.settings import Settings


def run_parent(instance: Instance, settings: Settings) -> None:
    """Run every role of this instance until SIGTERM or Ctrl-C."""
    with (
        listen(settings.api.host, settings.api.port) as api,
        listen(settings.sftp.host, settings.sftp.port) as sftp,
    ):
        parent = Parent(instance, grace_s=settings.api.drain_s + 5.0, stop=stop_on_signals())
        for number in range(settings.api.workers):
            parent.add(f"api-{number + 1}", "api", "--fd", str(api.fileno()), handles=[api.fileno()])
        for number in range(settings.sftp.workers):
            parent.add(
                "sftp" if settings.sftp.workers == 1 else f"sftp-{number + 1}",
                "sftp",
                "--fd",
                str(sftp.fileno()),
                handles=[sftp.fileno()],
            )
        parent.add("worker", "worker")
        write_whole(instance.pid_file, str(os.getpid()).encode())
        bound = Addresses(api=api.getsockname()[:2], sftp=sftp.getsockname()[:2])
        try:
            parent.run(ready=lambda: bound.write(instance))
        finally:
            instance.pid_file.unlink(missing_ok=True)
