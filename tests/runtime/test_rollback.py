"""`knudepunkt rollback` and `knudepunkt maintenance`: looked at first, done when told."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from runtime.cli import app


def run(root: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, list(words), env={"KNUDEPUNKT_INSTANCE": str(root)})
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.output) if "--json" in words else done.output


def test_a_bad_delivery_is_taken_back(tmp_path: Path) -> None:
    root = tmp_path / "instance"
    run(root, "init")
    run(root, "testdata", "--persons", "20", "--out", str(root / "inbox"))
    run(root, "sync", "municipalities", "--json")
    (delivered,) = (root / "inbox" / "municipality").iterdir()
    lines = delivered.read_text(encoding="utf-8").splitlines(keepends=True)
    (root / "inbox" / "municipality" / "z.csv").write_text("".join(lines[:-2]), encoding="utf-8")
    run(root, "sync", "municipalities", "--json", "--accept")
    (status,) = (each for each in run(root, "status", "--json")["datasets"] if each["source"] == "municipalities")
    good = status["snapshot"] - 1

    def look(*more: str) -> dict[str, Any]:
        told: dict[str, Any] = run(root, "rollback", status["dataset"], "--to", str(good), "--json", *more)
        return told

    first = look()
    assert (first["done"], first["inserted"], first["deleted"]) == (False, 2, 0)
    assert look("--yes", "--reason", "half a delivery")["done"]
    assert look()["inserted"] == 0
    assert run(root, "sync", "municipalities", "--json")[0]["outcome"] == "nothing_new"
    assert run(root, "maintenance", "show", "--json")["snapshots_expired"] == 0
    assert run(root, "maintenance", "run", "--json")["files_waiting"] == 0
    assert "rows would be" in run(root, "rollback", status["dataset"], "--to", "2099-01-01")
