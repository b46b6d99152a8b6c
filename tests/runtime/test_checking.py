"""`knudepunkt contract check` reads a whole register folder: contract, services, source."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runtime.checking import check_folders
from runtime.cli import app
from tests.schemas.builders import a_contract, a_service, write

SOURCE = """\
name: ships
dataset: ships.ships
connector:
  kind: folder
  path: inbox/ships
decoder: {kind: csv}
mode: delta
"""


def a_register(tmp_path: Path, source: str, **contract: Any) -> Path:
    folder = write(tmp_path / "ships", contract=a_contract(**contract), services=(a_service(),))
    (folder / "ships.source.yaml").write_text(source, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "line", "problem", "remedy"),
    [
        (("mode: delta", "mode: never"), 7, "mode: Input should be 'full', 'delta' or 'append'", "see docs"),
        (("mode: delta", "mode: delta\nmodes: 1"), 8, "modes: Extra inputs are not permitted", "write mode"),
        (("name: ships\n", ""), 1, "name: Field required", "add it"),
        (("  path: inbox/ships\n", ""), 3, "connector.path: Field required", "add it"),
        (("kind: csv", "kind: fax"), 6, "decoder: Input tag 'fax'", "see docs"),
        (("ships.ships", "ships.boats"), 2, "dataset: no contract promises 'ships.boats'", "write ships.ships"),
        (("mode: delta", "mode: delta\nmode: full"), 8, "mode: stands twice in one mapping", "remove one of them"),
        (("mode: delta", "mode: delta\nschedule: {}"), 8, "schedule: a schedule has either", "keep one of them"),
        (("name: ships", "name: ["), 3, "document: is not plain YAML", "mend the line"),
    ],
)
def test_a_source_is_checked_by_line(
    tmp_path: Path, change: tuple[str, str], line: int, problem: str, remedy: str
) -> None:
    folder = a_register(tmp_path, SOURCE.replace(*change))
    (found,) = check_folders(folder)
    assert (found.path.name, found.line) == ("ships.source.yaml", line)
    assert f"{found.where}: {found.problem}".startswith(problem)
    assert found.remedy.startswith(remedy)


def test_a_source_must_be_able_to_fill_its_dataset(tmp_path: Path) -> None:
    place = {"name": "place", "logicalType": "object", "properties": [{"name": "x", "logicalType": "string"}]}
    folder = a_register(tmp_path, SOURCE)
    write(folder, contract=a_contract(place))
    (found,) = check_folders(folder)
    assert (found.where, found.problem) == ("decoder", "a CSV file cannot hold the columns place")


def test_two_sources_have_two_names(tmp_path: Path) -> None:
    folder = a_register(tmp_path, SOURCE)
    (folder / "other.source.yaml").write_text(SOURCE, "utf-8")
    (found,) = check_folders(folder)
    assert found.problem == "there is a source ships already"


def test_shipped_registers_are_known_and_only_the_given_ones_are_told_of(tmp_path: Path) -> None:
    relation = {"to": "municipality.odcs.yaml#municipalities.code"}
    home = {"name": "home", "logicalType": "string", "relationships": [relation]}
    folder = a_register(tmp_path, SOURCE)
    write(folder, contract=a_contract(home))
    assert check_folders(folder) == []
    assert check_folders() == []


def test_the_command_line_says_it_too(tmp_path: Path) -> None:
    folder = a_register(tmp_path, SOURCE.replace("delta", "never"))
    done = CliRunner().invoke(app, ["contract", "check", str(folder), "--json"])
    (found,) = json.loads(done.stdout)
    assert (done.exit_code, found["severity"], found["line"]) == (1, "error", 7)
    done = CliRunner().invoke(app, ["contract", "check", str(folder)])
    assert "ships.source.yaml:7: error: mode:" in done.stdout
