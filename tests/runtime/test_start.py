"""What a process loads when it starts."""

import json
import subprocess
import sys

LOADED = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(code: str) -> set[str]:
    """Names of the packages that a process of its own has loaded when it has run `code`."""
    done = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_command_line_can_say_what_it_offers_without_the_house() -> None:
    """Help must come at once; each verb loads what it needs when it runs."""
    loaded = loaded_by("import runtime.cli")

    assert not loaded & {"api", "control", "extract", "integrations", "replica", "schemas", "sync", "usage"}
    assert not loaded & {"duckdb", "numpy", "polars", "pyarrow", "pydantic", "rich", "sqlalchemy"}


def test_a_process_loads_no_library_that_only_others_use() -> None:
    loaded = loaded_by("from runtime.unwanted import leave_out\nleave_out()\nimport runtime.roles")

    assert {"duckdb", "paramiko", "pyarrow"} <= loaded
    assert not loaded & {"pandas", "invoke"}
