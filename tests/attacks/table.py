"""The table of attacks, docs/operating/attacks.md, made from the tests: `python -m tests.attacks.table` writes it."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "operating" / "attacks.md"

CHAPTERS: Final = (
    (
        "Control: who calls, what for, and how the bytes come",
        (
            "tests/attacks/test_certificates.py",
            "tests/attacks/test_proxy_headers.py",
            "tests/attacks/test_scope.py",
            "tests/attacks/test_roles.py",
            "tests/attacks/test_http.py",
            "tests/attacks/test_bodies.py",
            "tests/attacks/test_injection.py",
            "tests/attacks/test_limits.py",
        ),
    ),
    (
        "Bulk: files, targets, uploads",
        (
            "tests/attacks/test_bulk.py",
            "tests/attacks/test_sharing.py",
            "tests/extract/test_sftp_attacks.py",
            "tests/extract/test_exchange_attacks.py",
        ),
    ),
    ("Tokens: who made them, whose they are, and what for", ("tests/soap/test_token_attacks.py",)),
)
"""Heading, and the files of tests below it."""

HEAD: Final = """# Attacks

What has been tried against the platform, and what refuses it. Each line is a test that runs with every build. What
comes over the wire comes to a real server over real connections, and whatever it was, the answer was no 5xx, nothing
personal was in it or in a log, and ledger and audit trail were whole afterwards. An attack that is tried in several
places (texts go into every field there is) stands here once. Written by `python -m tests.attacks.table`; a test holds
the page to the tests.
"""


@dataclass(frozen=True)
class Attack:
    """One line. file   of the test, from the root; name   of the test, with its case"""

    file: str
    name: str
    tries: str
    by: str


class _Collector:
    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.items = list(items)


def collected() -> list[Attack]:
    """Every attack once, however many places it is tried in."""
    files = [file for _, names in CHAPTERS for file in names]
    collector = _Collector()
    code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *map(str, files)], plugins=[collector])
    if code != 0:
        raise RuntimeError(f"the tests cannot be collected ({code})")
    found: dict[tuple[str, str], Attack] = {}
    for item in collector.items:
        if (plain := _unmarked(item)) is not None:
            found.setdefault((plain.file, plain.tries), plain)
        for mark in item.iter_markers("attack"):
            tries, (file, test) = str(mark.args[0]), _place(item)
            case = mark.kwargs.get("case")
            attack = Attack(file, f"{test}[{case}]" if case else test, tries, str(mark.kwargs["by"]))
            found.setdefault((file, tries), attack)
    return list(found.values())


def page(attacks: Iterable[Attack]) -> str:
    attacks = list(attacks)
    number, parts = 0, [HEAD]
    for heading, files in CHAPTERS:
        mine = [each for file in files for each in attacks if each.file == file]
        parts.append(f"\n## {heading}\n\n{len(mine)} attacks.\n")
        for file in files:
            parts.append(
                f"\n### {Path(file).stem.removeprefix('test_').replace('_', ' ').capitalize()}\n\n`{file}`\n\n"
            )
            parts.append("| # | test | what is tried | what refuses it |\n| ---: | --- | --- | --- |\n")
            for each in attacks:
                if each.file == file:
                    number += 1
                    parts.append(f"| {number} | `{_cell(each.name)}` | {_cell(each.tries)} | {_cell(each.by)} |\n")
    return "".join(parts)


def _unmarked(item: pytest.Item) -> Attack | None:
    """A test of a file that holds nothing but attacks, told by its name."""
    file, test = _place(item)
    if not file.startswith("tests/extract/"):
        return None
    whole = test.removeprefix("Test").replace("::test_", " ").replace("_", " ").removeprefix("test ")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", whole).lower()
    return Attack(file, test, words, "told on the left")


def _place(item: pytest.Item) -> tuple[str, str]:
    file, _, rest = item.nodeid.partition("::")
    return file, rest.partition("[")[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    attacks = collected()
    PAGE.write_text(page(attacks), encoding="utf-8")
    sys.stderr.write(f"{len(attacks)} attacks\n")


if __name__ == "__main__":
    main()
