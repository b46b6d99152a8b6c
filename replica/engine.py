"""DuckDB and its extensions: the one module that knows their version and how they are loaded.

The extensions come as wheels of the same version as the engine and are loaded by path, with automatic
installing and loading off, so that nothing is fetched at run time and nothing is written outside `scratch`.
(DuckDB 2.0 has no such wheels yet: docs/decisions/0001-duckdb-line.md.)
"""

import importlib.util
import sqlite3
from pathlib import Path

import duckdb

from replica.errors import CatalogueShared

DUCKDB_LINE = "1.5.5"
# httpfs is here for its cryptography: without it DuckDB refuses to write encrypted Parquet with its own.
EXTENSIONS = ("httpfs", "sqlite_scanner", "ducklake")


def extension_path(name: str) -> Path:
    """Where the wheel of an extension keeps its file. Raises RuntimeError when the wheel is not installed."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package duckdb-extension-{name.replace('_', '-')} is not installed")
    folder = Path(spec.submodule_search_locations[0])
    return folder / "extensions" / f"v{DUCKDB_LINE}" / f"{name}.duckdb_extension"


def connect(scratch: Path, *, memory_limit: str = "2GB", threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the extensions loaded; spills and secrets stay below `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "extension_directory": str(scratch / "extensions"),
        "home_directory": str(scratch),
        "secret_directory": str(scratch / "secrets"),
        "temp_directory": str(scratch / "spill"),
        "memory_limit": memory_limit,
    }
    if threads is not None:
        config["threads"] = str(threads)
    con = duckdb.connect(":memory:", config=config)
    for name in EXTENSIONS:
        con.execute(f"LOAD '{_quoted(extension_path(name))}'")
    con.execute("SET TimeZone = 'UTC'")
    # Of itself the engine draws one on standard output, after two seconds, for whoever started Python with `-c`.
    con.execute("SET enable_progress_bar_print = false; SET enable_progress_bar = false")
    return con


def give_back(con: duckdb.DuckDBPyConnection) -> None:
    """Let the system have the memory that the engine kept for its next statement, in the background, from now on.

    Ask again after every large statement: when a process closes any of its databases, this ends for all of them.
    """
    con.execute("SET allocator_background_threads = true")


def attach_lake(con: duckdb.DuckDBPyConnection, alias: str, folder: Path, *, read_only: bool, encrypted: bool) -> None:
    """Attach the DuckLake of `folder` (catalogue `catalog.sqlite`, Parquet below `data/`) as `alias`.

    The catalogue is made in WAL mode, so that readers go on beside the writer. Rows are never inlined into
    the catalogue, since it is not encrypted. The caller holds the writer's lock when `read_only` is false.

    Raises CatalogueShared when somebody else keeps tables in the catalogue.
    """
    catalog = folder / "catalog.sqlite"
    if not read_only:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        # Only while the file is new: a second SQLite library that closes a file drops the locks which DuckDB's own
        # copy holds on it in this process, and readers here then meet "disk I/O error".
        if not catalog.exists() or catalog.stat().st_size == 0:
            with sqlite3.connect(catalog) as db:
                db.execute("PRAGMA journal_mode=WAL")
            db.close()
        _hold_nothing_else(con, catalog)
    options = [f"DATA_PATH '{_quoted(folder / 'data')}'", "DATA_INLINING_ROW_LIMIT 0"]
    options += ["READ_ONLY"] if read_only else []
    options += ["ENCRYPTED"] if encrypted else []
    con.execute(f"ATTACH 'ducklake:sqlite:{_quoted(catalog)}' AS {alias} ({', '.join(options)})")


def _hold_nothing_else(con: duckdb.DuckDBPyConnection, catalog: Path) -> None:
    """Raises CatalogueShared when the catalogue's file has tables that are not DuckLake's.

    Whoever writes them takes SQLite's lock from under a publication, whose commit then fails (duckdb/ducklake#1309).
    """
    con.execute(f"ATTACH '{_quoted(catalog)}' AS looked_at (TYPE sqlite, READ_ONLY)")
    strange = con.execute(
        "SELECT table_name FROM duckdb_tables()"
        " WHERE database_name = 'looked_at' AND NOT starts_with(table_name, 'ducklake_')"
    ).fetchall()
    con.execute("DETACH looked_at")
    if strange:
        raise CatalogueShared(
            f"{catalog.name} holds tables that are not the mirror's: {', '.join(name for (name,) in strange)}",
            remedy="move them to another file: who writes them makes publications fail",
            rule="replica.catalogue",
        )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
