"""Whoever makes a mistake on the command line is told what to do, in a sentence; never by a traceback."""

import errno
import os
from pathlib import Path

import pytest

from extract import State
from runtime.cli import main
from runtime.cli.console import FileUnusable
from runtime.founding import found_instance


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """The exit code, and what stands on standard error, in one line."""
    monkeypatch.setattr("sys.argv", ["knudepunkt", *words])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return int(ended.value.code or 0), " ".join(error.split())


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(found_instance(tmp_path_factory.mktemp("mistakes") / "i", environment="test").root)


@pytest.mark.parametrize(
    "words",
    [
        ("testdata", "--persons", "1", "--out", "/proc/nowhere"),
        ("init", "--instance", "/proc/nowhere"),
        ("source-system", "--instance", "/proc/nowhere"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_told_with_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    code, text = said(capsys, monkeypatch, *words)
    assert code in {1, 2}
    assert "/proc/nowhere" in text


def test_a_folder_is_no_file_to_write_an_extract_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, text = said(capsys, monkeypatch, "extract", "cpr-persons-extract", "--out", str(tmp_path))
    assert (code, "is a directory" in text) == (2, True)


def test_a_full_disk_is_told_and_a_fault_of_ours_is_not_hidden() -> None:
    full = FileUnusable.of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert full is not None
    assert "make room" in full.remedy
    assert FileUnusable.of(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("delivery", "list", "--state", "lost"), "it is one of planned, produced"),
        (("subscription", "add", "cpr-persons-extract", "--agreement", "0190", "--where", "status"), "column=value"),
        (("subscription", "add", "cpr-persons-extract", "--agreement", "0190", "--to", "ftp://x"), "sftp://"),
        (("subscription", "add", "cpr-persons-extract", "--agreement", "0190"), "`knudepunkt agreement list`"),
        (("extract", "cpr-persons-extract", "--client", "nobody"), "`knudepunkt cert request SYSTEM`"),
        (("extract", "cpr-persons-extract", "--since", "gone.manifest.json"), "neither a cursor nor a file"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_can(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    instance: str,
    words: tuple[str, ...],
    told: str,
) -> None:
    code, text = said(capsys, monkeypatch, *words, "--instance", instance)
    assert code in {1, 2}
    assert told in text


def test_help_names_every_state_of_a_delivery(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["knudepunkt", "delivery", "list", "--help"])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert not [state for state in State if state not in shown]
