"""The demo's cast: a municipality, a supplier, its system, an agreement, fictitious data.

Everything goes through the same doors that an operator uses; only the decisions (who, what for) are made here.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from control import ControlStore, TestAuthority
from kernel import SystemClock
from runtime.client import Profile
from runtime.files import write_whole
from runtime.instance import Instance
from runtime.processes import Addresses
from runtime.ssh_keys import new_ssh_key

PROFILE: Final = "demo"
MUNICIPALITY_CVR: Final = "11111111"
SUPPLIER_CVR: Final = "12345678"
SERVICES: Final = ("cpr-persons", "cpr-persons-extract", "municipalities", "municipalities-extract")
