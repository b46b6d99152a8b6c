"""What the api needs from the other rooms. Filled once, by the wiring; nothing here is looked up anywhere else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from control import Policy
from extract import ExtractStore, Shelf
from kernel import Clock, Observe
from replica import Lookups
from schemas import Registers


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """policy      the policy in force now; called for every request
    lookups     readers of this process, by dataset
    extracts    files by content; `shelf` is where an agreement finds its own
    observe     keeps a fact, or raises: then the answer does not leave
    readiness   name of a check -> whether it holds; may block
    status      every mirrored dataset as operators see it; may block
    version     of the platform, as it stands in the OpenAPI document
    """

    registers: Registers
    policy: Callable[[], Policy]
    lookups: Lookups
    extracts: ExtractStore
    shelf: Shelf
    observe: Observe
    clock: Clock
    environment: Literal["test", "production"]
    readiness: Callable[[], Mapping[str, bool]] = dict
    status: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    version: str = "0.1.0"
