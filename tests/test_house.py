"""The house stands where the plan says."""

import importlib
import re
from pathlib import Path

import pytest

ROOMS = ("kernel", "schemas", "replica", "sync", "extract", "integrations", "control", "usage", "api", "runtime")
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_the_one_of_this_checkout_and_says_what_it_is_for(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == ROOT / room
    assert module.__doc__
    assert (ROOT / room / "py.typed").exists()


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "runtime"])
def test_each_door_is_a_list_that_is_sorted_and_true(room: str) -> None:
    module = importlib.import_module(room)
    names = list(module.__all__)
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(module, name) for name in names)


def test_no_document_or_module_names_a_machine() -> None:
    hints = ("/wo" + "rk/", "/ro" + "ot/", "/fa" + "rm/")
    # Folders whose names begin with a dot hold what tools made, such as the libraries.
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    patterns = ("*.md", "*.py", "*.toml", "Makefile")
    files = {found for top in tops for pattern in patterns for found in (top.rglob(pattern) if top.is_dir() else [top])}
    named = [
        path.name
        for path in files
        if any(path.match(pattern) for pattern in patterns) and any(hint in path.read_text("utf-8") for hint in hints)
    ]
    assert len(files) > 1_000
    assert not named


def test_each_decision_has_a_number_of_its_own() -> None:
    pages = [page for page in (ROOT / "docs" / "decisions").glob("*.md") if page.name != "README.md"]
    numbers = [int(page.name[:4]) for page in pages]
    assert len(set(numbers)) == len(numbers)
    assert [int(page.read_text().split(".")[0].removeprefix("# ")) for page in pages] == numbers


def test_no_property_is_wrong_because_the_machine_is_slow() -> None:
    told = re.compile(r"suppress_health_check=\[(H[^\]]*|\s+H[^\]]*)\]")
    found = [(path, each) for path in (ROOT / "tests").rglob("*.py") for each in told.findall(path.read_text())]
    assert len(found) > 1
    assert [str(path) for path, each in found if "too_slow" not in each] == []
