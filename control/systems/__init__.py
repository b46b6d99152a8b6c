"""Systems: the IT systems that call services, and the SSH keys by which SFTP knows them."""

from control.systems.rules import read_ssh_key, ssh_fingerprint
from control.systems.store import (
    add_system,
    bind_ssh_key,
    change_system,
    ensure_in_use,
    find_system,
    found_system,
    load_ssh_keys,
    load_systems,
    retire_system,
    revoke_ssh_key,
    system_of_key,
)
from control.systems.values import SshKey, System

__all__ = [
    "SshKey",
    "System",
    "add_system",
    "bind_ssh_key",
    "change_system",
    "ensure_in_use",
    "find_system",
    "found_system",
    "load_ssh_keys",
    "load_systems",
    "read_ssh_key",
    "retire_system",
    "revoke_ssh_key",
    "ssh_fingerprint",
    "system_of_key",
]
