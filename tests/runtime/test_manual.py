"""What the manual and `--help` tell people to type is there: verbs, options, links with their headings, files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from runtime.cli import app
from runtime.founding import found_instance

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "Makefile", *sorted((ROOT / "docs").rglob("*.md"))]
KNUDEPUNKT = get_command(app)
_FENCED = re.compile(r"^```(?:sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(knudepunkt [^`]+)`")


def _commands(text: str) -> Iterator[str]:
    """Every command line of ours in a page."""
    yield from (each.replace("\n", " ") for each in _INLINE.findall(text))
    for block in _FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            # What comes before or after it in a pipe is not ours.
            for part in re.split(r"&&|\||;|\$\(", line.partition(" #")[0]):
                if (found := re.match(r"\s*(?:\S*/|\$\(BIN\)/)?(knudepunkt .*)", part)) is not None:
                    yield found[1]


def _helped(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Each verb with its help."""
    yield " ".join(words), command.help or ""
    for name, each in getattr(command, "commands", {}).items():
        yield from _helped(each, (*words, name))


def _wrong(line: str) -> str | None:
    """What in a command line is not there; None when all of it is."""
    try:
        words = shlex.split(line)[1:]
    except ValueError:
        return "it cannot be read"
    command: Any = KNUDEPUNKT
    while hasattr(command, "commands") and words and re.fullmatch(r"[a-z][a-z|-]*", words[0]):
        # `delivery list|retry|show` names several at once.
        names = words.pop(0).split("|")
        if missing := [name for name in names if name not in command.commands]:
            return f"there is no {missing[0]}"
        if len(names) > 1:
            return None
        command = command.commands[names[0]]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    options = (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word))
    return next((f"it takes no {option}" for option in options if option not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_page_can_be_typed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = _commands(text if page.suffix == ".md" else f"```sh\n{text}```")
    wrong = {line: why for line in lines if (why := _wrong(line)) is not None}
    assert not wrong


def test_every_command_in_a_help_text_can_be_typed() -> None:
    lines = [(verb, line) for verb, text in _helped(KNUDEPUNKT) for line in _commands(text)]
    assert len(lines) > 60
    assert not {f"{verb}: {line}": why for verb, line in lines if (why := _wrong(line)) is not None}


def test_a_command_that_is_not_there_is_found() -> None:
    assert _wrong("knudepunkt extrakt x") == "there is no extrakt"
    assert _wrong("knudepunkt delivery list|lose") == "there is no lose"
    assert _wrong("knudepunkt extract x --formats csv") == "it takes no --formats"
    assert [*_commands("```sh\ncp a b && .venv/bin/knudepunkt sync x # why\n```")] == ["knudepunkt sync x"]


def test_every_heading_that_a_link_leads_to_is_there() -> None:
    broken = []
    for page in PAGES:
        for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            there = page if not target else page.parent / target
            if heading not in _headings(there.read_text(encoding="utf-8")):
                broken.append(f"{page.name}: {target}#{heading}")
    assert not broken


def test_every_file_of_the_code_that_a_page_names_is_there() -> None:
    rooms = "kernel|schemas|replica|sync|extract|integrations|control|usage|api|runtime|tests|benchmarks|docs"
    named = re.compile(rf"`((?:{rooms})/[a-z0-9_/.-]+?\.(?:py|yaml|md|json|csv))`")
    missing = {
        f"{page.name}: {path}"
        for page in PAGES
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    }
    assert not missing


def test_every_folder_of_an_instance_is_in_the_architecture(tmp_path: Path) -> None:
    listed = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## An instance\n")[2]
    made = found_instance(tmp_path / "i", environment="test").root
    folders = {each.name for each in made.iterdir() if each.is_dir()}
    assert len(folders) > 10
    assert not {name for name in folders if f"{name}/" not in listed}


def _headings(text: str) -> set[str]:
    """As they are linked to: small letters, no signs, hyphens for spaces."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
