"""How an instance comes to be: folders, settings, control database, keys, a test certificate authority.

Every step leaves alone what is there already, so that a founding that was interrupted is finished by the next.
"""

from pathlib import Path

from control import TestAuthority
from runtime.control_address import control_url
from runtime.environment import found_environment
from runtime.files import write_whole
from runtime.instance import Instance, InstanceExists
from runtime.migrated import found_control
from runtime.migrations import upgrade
from runtime.settings import Settings
from runtime.ssh_keys import new_ssh_key
from schemas import SHIPPED
from sync import FolderSpec, load_sources

_SETTINGS = """\
# Settings of this instance. Every value can be overridden by the environment:
# KNUDEPUNKT_API__PORT=9443 sets [api] port. All settings: docs/reference/settings.md.

# test: agreements are approved at once, data is fictitious. production: a municipality approves.
environment = "{environment}"

[api]
host = "{host}"
port = {api_port}
# One worker answers thousands of lookups a second; add workers when cores are free.
workers = 1

[sftp]
host = "{host}"
port = {sftp_port}
"""


def found_instance(
    root: Path, *, environment: str, host: str = "127.0.0.1", api_port: int = 8443, sftp_port: int = 2222
) -> Instance:
    """Make an instance in `root`, or finish one. Raises InstanceExists when it is of the other environment."""
    instance = Instance(root.resolve())
    instance.make_folders()
    if not instance.settings_file.exists():
        text = _SETTINGS.format(environment=environment, host=host, api_port=api_port, sftp_port=sftp_port)
        write_whole(instance.settings_file, text.encode(), 0o644)
    settings = found_environment(instance)
    if settings.environment != environment:
        raise InstanceExists(
            f"{instance.root} is an instance of the {settings.environment} environment",
            remedy="name another folder; an instance never changes its environment",
        )
    upgrade(control_url(instance, settings.control))
    found_control(instance, settings)
    instance.subject_key()
    for source in load_sources(SHIPPED, instance.registers, root=instance.root):
        if isinstance(source.connector, FolderSpec):
            source.connector.path.mkdir(parents=True, exist_ok=True)
    _make_server_certificate(instance, settings)
    _make_host_key(instance)
    return instance


def _make_server_certificate(instance: Instance, settings: Settings) -> None:
    certificate, key = instance.server_files()
    authority = TestAuthority.open_or_create(instance.authority)
    trusted = instance.trust / "test-authority.pem"
    # In production it vouches for nobody: the server's first certificate is all that it makes there.
    if settings.environment == "test" and not trusted.exists():
        write_whole(trusted, authority.ca_pem, 0o644)
    if not certificate.exists():
        issued = authority.issue_server(settings.api.names)
        write_whole(key, issued.key_pem, 0o600)
        write_whole(certificate, issued.cert_pem, 0o644)


def _make_host_key(instance: Instance) -> None:
    if not instance.host_key.exists():
        private, public = new_ssh_key("knudepunkt")
        write_whole(instance.host_key.with_suffix(".pub"), public, 0o644)
        write_whole(instance.host_key, private, 0o600)
