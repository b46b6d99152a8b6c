"""The audit trail of the control database: who changed what, when and from where, in a chain that shows a cut."""

from control.audit.store import append, has_entry, load_entries, newest_entries, verify
from control.audit.values import AuditEntry

__all__ = ["AuditEntry", "append", "has_entry", "load_entries", "newest_entries", "verify"]
