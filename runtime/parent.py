"""What `knudepunkt up` runs: which roles, on which sockets."""

import os
from dataclasses import asdict

import structlog

from runtime.files import write_whole
from runtime.instance import Instance
from runtime.processes import Addresses, Parent, listen, stop_on_signals
from runtime.settings import Settings

_log = structlog.get_logger(__name__)


def run_parent(instance: Instance, settings: Settings) -> None:
    """Run every role of this instance until SIGTERM or Ctrl-C."""
    with (
        listen(settings.api.host, settings.api.port) as api,
        listen(settings.sftp.host, settings.sftp.port) as sftp,
    ):
        grace_s = max(settings.api.drain_s, settings.sftp.grace_s) + 5.0
        parent = Parent(instance, grace_s, stop=stop_on_signals())
        for number in range(settings.api.workers):
            parent.add_verb(f"api-{number + 1}", "api", "--fd", str(api.fileno()), handles=[api.fileno()])
        # One child, which looks after as many as there are to be.
        parent.add_verb("sftp", "sftp", "--fd", str(sftp.fileno()), handles=[sftp.fileno()])
        parent.add_verb("worker", "worker")
        write_whole(instance.pid_file, str(os.getpid()).encode())
        bound = Addresses(
            api=api.getsockname()[:2],
            sftp=sftp.getsockname()[:2],
            api_processes=settings.api.workers,
            sftp_processes=settings.sftp.processes,
        )

        def ready() -> None:
            bound.write(instance)
            _log.info("listening", **asdict(bound))

        try:
            parent.run(ready)
        finally:
            instance.pid_file.unlink(missing_ok=True)
