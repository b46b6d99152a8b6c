"""The reference pages that follow from the code: errors, settings, metrics. `make docs` writes them; a test holds them
to it.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

from kernel import PlatformError
from runtime.client import Refused
from runtime.metrics.families import FAMILIES
from runtime.settings import Settings

ROOMS = ("kernel", "schemas", "replica", "sync", "extract", "integrations", "control", "usage", "api", "runtime")
PAGES = Path(__file__).parent.parent / "docs" / "reference"


def errors_page() -> str:
    """Every error code that the platform gives, with its status."""
    lines = [
        "# Error codes",
        "",
        "The same code stands in REST problems (RFC 9457), the ledger, the logs and the command line.",
        "Written by `make docs`.",
        "",
        "| code | HTTP | title | branch |",
        "| --- | --- | --- | --- |",
    ]
    # Two rooms may say the same word of different things, a source that is mirrored and one that is asked: both stand.
    rows = [f"| `{each.code}` | {each.status} | {each.title} | {_branch(each)} |" for each in every_error()]
    lines += dict.fromkeys(rows)
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting, by section, with its default and what it means."""
    lines = [
        "# Settings",
        "",
        "`knudepunkt.toml` in the instance's folder; `[api] port` is overridden by the environment variable",
        "`KNUDEPUNKT_API__PORT`. An unknown section or key is an error. Written by `make docs`.",
        "",
        "| setting | default | |",
        "| --- | --- | --- |",
        "| `environment` | `test` | test: agreements are approved at once. production: a municipality approves |",
    ]
    for section, field in Settings.model_fields.items():
        kind: Any = field.annotation
        if not dataclasses.is_dataclass(kind):
            continue
        meanings = _meanings(inspect.getdoc(kind) or "")
        lines += [
            f"| `[{section}] {each.name}` | `{_shown(_default(each))}` | {meanings.get(each.name, '')} |"
            for each in dataclasses.fields(kind)
        ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Every metric, with its labels and what it means."""
    lines = [
        "# Metrics",
        "",
        "All are gauges, worked out when `/metrics` is read. Written by `make docs`.",
        "",
        "| metric | labels | |",
        "| --- | --- | --- |",
    ]
    for each in FAMILIES.values():
        lines.append(f"| `{each.full_name}` | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |")
    return "\n".join(lines) + "\n"


def every_error() -> list[type[PlatformError]]:
    """Every error of every room, by code and room, in whatever order they were imported."""
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            # Alembic runs the migrations; the command line runs when __main__ is imported.
            if ".migrations." not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: list[type[PlatformError]] = []
    waiting: list[type[PlatformError]] = [PlatformError]
    while waiting:
        each = waiting.pop()
        if each is not Refused and each.__module__.split(".")[0] in ROOMS:
            found.append(each)
        waiting += each.__subclasses__()
    return sorted(found, key=lambda each: (each.code, each.__module__, each.__name__))


def _branch(error: type[PlatformError]) -> str:
    if error is PlatformError:
        return ""
    return next(base.__name__ for base in error.__mro__[1:] if issubclass(base, PlatformError))


def write_pages() -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / "errors.md").write_text(errors_page(), encoding="utf-8")
    (PAGES / "settings.md").write_text(settings_page(), encoding="utf-8")
    (PAGES / "metrics.md").write_text(metrics_page(), encoding="utf-8")


def _default(field: "dataclasses.Field[Any]") -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _shown(default: object) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _meanings(doc: str) -> dict[str, str]:
    """The `name   meaning` lines of a settings docstring, continued where they are indented."""
    found: dict[str, str] = {}
    last = ""
    for line in doc.splitlines():
        name, _, meaning = line.partition("   ")
        names = [each.strip() for each in name.split(",")]
        if meaning.strip() and not line.startswith(" ") and all(each.isidentifier() for each in names):
            found |= dict.fromkeys(names, meaning.strip())
            last = names[-1]
        elif last and line.startswith("   "):
            found[last] += " " + line.strip()
        else:
            last = ""
    return found


if __name__ == "__main__":
    write_pages()
