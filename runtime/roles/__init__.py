"""What each process does between its start and its end. A module per role imports what that role uses, and no other
role's rooms.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from runtime.roles.api import run_api
    from runtime.roles.sftp import run_sftp
    from runtime.roles.worker import run_worker

__all__ = ["run_api", "run_sftp", "run_worker"]

hang_door(__name__)
