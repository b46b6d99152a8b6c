"""What a process loads when it starts: no more than it uses."""

from kernel.unwanted import UNWANTED
from tests.loading import loaded_by, packages

ROOMS = {"api", "control", "extract", "integrations", "replica", "schemas", "sync", "usage"}
ENGINES = {"cryptography", "duckdb", "lxml", "numpy", "paramiko", "polars", "pyarrow", "sqlalchemy", "sqlglot"}


def test_the_command_line_can_say_what_it_offers_without_the_house() -> None:
    """Help must come at once; each verb loads what it needs when it runs."""
    loaded = packages(loaded_by("import runtime.cli"))

    assert not loaded & (ROOMS | ENGINES | {"pydantic", "rich"})


def test_settings_are_read_without_the_rooms_behind_them() -> None:
    """Every verb reads them, and so does the parent of `knudepunkt up`, which does nothing but watch its children."""
    loaded = packages(loaded_by("import runtime.environment, runtime.parent, runtime.logs"))

    assert not loaded & ENGINES


def test_looking_up_and_fetching_load_none_of_the_platform() -> None:
    loaded = packages(loaded_by("import runtime.client, runtime.fetching"))

    assert not loaded & ENGINES


def test_a_question_about_usage_loads_the_accounts_alone() -> None:
    loaded = packages(loaded_by("import runtime.environment\nfrom runtime.asking import ask_usage"))

    assert "duckdb" in loaded
    assert not loaded & {"cryptography", "lxml", "paramiko", "polars", "schemas", "sqlalchemy", "sync"}


def test_the_status_is_told_without_the_engine_where_nothing_is_to_be_asked() -> None:
    loaded = packages(loaded_by("import runtime.environment, runtime.status"))

    assert not loaded & {"duckdb", "paramiko", "sqlalchemy", "sqlglot", "uvicorn"}


def test_the_status_and_a_run_of_a_source_do_without_the_control_database() -> None:
    loaded = packages(loaded_by("import runtime.environment, runtime.mirroring"))

    assert not loaded & {"alembic", "jinja2", "paramiko", "sqlalchemy", "uvicorn"}


def started(role: str) -> set[str]:
    """What a role has loaded before it opens anything."""
    alone = "from kernel.unwanted import leave_out, without\nleave_out()\n"
    begin = f"with without('rich'): import runtime.logs, runtime.roles.{role}\n"
    return loaded_by(f"{alone}{begin}runtime.logs.configure_logs(role='{role}', level='info')")


def test_the_sftp_server_hands_out_files_and_loads_nothing_that_makes_them() -> None:
    modules = started("sftp")
    loaded = packages(modules)

    assert loaded >= {"control", "cryptography", "extract", "lxml", "paramiko", "sqlalchemy", "usage"}
    assert not loaded & {"duckdb", "numpy", "polars", "pyarrow", "sqlglot"}
    assert not loaded & {"httpx2", "jinja2", "joserfc", "msgspec", "schemas", "signxml", "sync", "uvicorn", "yaml"}
    assert not {name for name in modules if name.startswith(("api.", "integrations.", "replica."))} - {
        # Of other rooms, it reads the settings.
        "api.settings", "api.tokens", "api.tokens.settings", "integrations.sources", "replica.settings",
    }  # fmt: skip


def test_a_server_has_all_that_it_uses_and_no_library_that_only_others_use() -> None:
    modules = started("api")
    loaded = packages(modules)

    assert loaded >= ROOMS | ENGINES - {"paramiko", "sqlglot"}
    assert not loaded & {"paramiko", "sqlglot"}
    assert not modules & UNWANTED
    assert not loaded & {"alembic", "botocore", "invoke", "pandas", "rich", "typer"}


def test_the_worker_does_what_is_due_without_the_web_server() -> None:
    modules = started("worker")
    loaded = packages(modules)

    assert loaded >= {"control", "duckdb", "polars", "pyarrow", "sync", "usage"}
    assert not loaded & {"jinja2", "joserfc", "signxml", "sqlglot", "uvicorn", "uvloop"}
    assert not modules & UNWANTED
