"""The manual agrees with the code."""

import re
from pathlib import Path

from typer.main import get_command

from runtime.cli import app
from runtime.reference import PAGES, errors_page, every_error, metrics_page, settings_page

ROOT = Path(__file__).parents[2]


def test_every_error_code_is_in_the_reference() -> None:
    assert (PAGES / "errors.md").read_text(encoding="utf-8") == errors_page(), "run `make docs`"


def test_every_setting_is_in_the_reference_with_its_meaning() -> None:
    page = (PAGES / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run `make docs`"
    bare = [line for line in page.splitlines() if line.startswith("| `[") and re.search(r"\|\s*\|$", line)]
    assert not [line for line in bare if not re.search(r"(host|port|level)`", line)]


def test_every_metric_is_in_the_reference() -> None:
    assert (PAGES / "metrics.md").read_text(encoding="utf-8") == metrics_page(), "run `make docs`"


def test_every_code_is_one_error_or_one_family() -> None:
    codes = {each.code for each in every_error()}
    assert len(codes) > 40
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in codes)


def test_every_verb_has_an_example_in_its_help() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        for each in [command] if not hasattr(command, "commands") else command.commands.values():
            assert "`knudepunkt" in (each.help or "") or "knudepunkt" in (each.help or ""), name


def test_every_verb_is_in_a_guide_or_the_readme() -> None:
    pages = [ROOT / "README.md", ROOT / "Makefile", ROOT / "docs" / "BENCHMARKS.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*pages, *(ROOT / "docs").rglob("*.md")])
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert not [name for name in commands if f"knudepunkt {name}" not in text]


def test_no_link_in_the_documents_leads_nowhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken
