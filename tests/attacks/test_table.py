"""The table of attacks says what the tests do, and there are as many as were promised."""

import subprocess
import sys

import pytest

from tests.attacks.table import CHAPTERS, PAGE, ROOT


@pytest.fixture(scope="module")
def printed() -> str:
    """In a process of its own: collecting tests within a test would mix the two."""
    program = (
        "from tests.attacks.table import collected, page; text = page(collected()); print('=' * 9); print(text, end='')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.partition("=" * 9 + "\n")[2]


def test_the_page_is_as_the_tests_are(printed: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == printed, "run: python -m tests.attacks.table"


def test_there_are_as_many_as_promised(printed: str) -> None:
    chapters = printed.split("\n## ")[1:]
    counted = {chapter.partition("\n")[0]: chapter.count("| `Test") + chapter.count("| `test_") for chapter in chapters}
    assert set(counted) == {heading for heading, _ in CHAPTERS}
    assert counted[CHAPTERS[0][0]] >= 80
    assert counted[CHAPTERS[1][0]] >= 40
    assert counted[CHAPTERS[2][0]] >= 30
