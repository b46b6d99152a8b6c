"""`knudepunkt catalogue` tells what an instance offers, and of one service what an agreement may name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kernel import NotFound
from runtime.cli import app
from runtime.founding import found_instance


def told(instance: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["catalogue", "--instance", str(instance), *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_tells_services_and_columns(tmp_path: Path) -> None:
    found_instance(tmp_path, environment="test")
    names = [each["name"] for each in json.loads(told(tmp_path, "--json"))]
    assert names == sorted(names)
    assert "cpr-persons" in names
    one = json.loads(told(tmp_path, "cpr-persons", "--json"))
    assert {"name": "pnr", "type": "string", "classification": "personal"} in one["columns"]
    assert "pnr" in told(tmp_path, "cpr-persons")
    with pytest.raises(NotFound):
        told(tmp_path, "nothing")
