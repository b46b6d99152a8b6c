"""Doors of rooms: what they offer is there, and nothing of a room is loaded before somebody asks."""

from importlib import import_module
from types import ModuleType

import pytest

from tests.loading import loaded_by

ROOMS = ("api", "control", "extract", "integrations", "replica", "schemas", "sync", "usage")


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_offers_what_it_says(room: str) -> None:
    door = import_module(room)

    for name in door.__all__:
        assert not isinstance(getattr(door, name), ModuleType), f"{room}.{name} is a module"
    with pytest.raises(ImportError):
        exec(f"from {room} import NothingOfTheKind")


def test_a_module_that_is_named_as_what_it_offers_does_not_stand_in_the_door() -> None:
    """As `integrations.lookup`: the import system puts the module into the room under its own name."""
    code = "import integrations.lookup\nfrom integrations import lookup\nassert callable(lookup), lookup"

    assert "integrations.lookup" in loaded_by(code)


def test_an_open_door_loads_nothing() -> None:
    loaded = loaded_by("".join(f"import {room}\n" for room in ROOMS))

    assert {name for name in loaded if name.partition(".")[0] in ROOMS} == set(ROOMS)
