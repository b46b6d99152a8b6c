"""The examples in the guide for operators are source files that load."""

import re
from pathlib import Path

import pytest

from sync import SourceInvalid, SourceSpec, load_sources

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "operators.md"
REST = """
name: libraries
dataset: libraries.libraries
decoder: {kind: csv}
mode: full
"""


def examples() -> list[str]:
    section = GUIDE.read_text(encoding="utf-8").split("\n## Sources: ")[1].split("\n## ")[0]
    return re.findall(r"```yaml\n(connector:.*?)```", section, re.DOTALL)


def source(folder: Path, connector: str) -> SourceSpec:
    (folder / "libraries.source.yaml").write_text(REST + connector)
    (spec,) = load_sources(folder, root=folder)
    return spec


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_guide_is_a_source(tmp_path: Path, example: str) -> None:
    assert source(tmp_path, example).connector


def test_every_kind_has_its_example() -> None:
    kinds = {re.search(r"kind: (\w+)", example).group(1) for example in examples()}  # type: ignore[union-attr]
    assert kinds == {"folder", "sftp", "s3", "http", "sql"}


SFTP = next(example for example in examples() if "kind: sftp" in example)
S3 = next(example for example in examples() if "kind: s3" in example)
SQL = next(example for example in examples() if "query:" in example)
HTTP = next(example for example in examples() if "kind: http" in example and "paging" in example)


@pytest.mark.parametrize(
    ("example", "change", "said"),
    [
        (SFTP, ("password: libraries-sftp.password", "password: ../control/secret"), "password"),
        (SFTP, ("password: libraries-sftp.password", ""), "either password or key"),
        (SFTP, ("host_key: ssh-ed25519 AAAA", "host_key: ssh-ed25519 AB"), "public key"),
        (SFTP, ("host_key:", "# host_key:"), "host_key"),
        (SFTP, ("trigger: true", "triger: true"), "triger"),
        (S3, ("https://", "http://"), "clear_text"),
        (S3, ("access_key: AKIAEXAMPLE", ""), "both access_key and secret_key"),
        (S3, ("region: eu-north-1", "anonymous: true"), "not both"),
        (S3, ("prefix: out/", "prefix: out"), "prefix"),
        (SQL, ("  query:", "  table: libraries\n  query:"), "either table or query"),
        (SQL, ("column: changed_at", "by: changed_at"), "by"),
        (HTTP, ("https://", "http://"), "clear_text"),
        (HTTP, ("https://", "https://us:password@"), "holds no password"),
        (HTTP, ("https://", "file://"), "https://"),
        (HTTP, ("links.next", "'links[.next'"), "paging"),
        (HTTP, ("kind: next", "kind: guess"), "'link', 'next', 'number', 'cursor'"),
        (HTTP, ("  paging:", "  format: csv\n  paging:"), "CSV has no body"),
        (HTTP, ("secret: libraries.token", "token: abc"), "secret"),
    ],
)
def test_a_connector_that_cannot_be_used_is_refused(
    tmp_path: Path, example: str, change: tuple[str, str], said: str
) -> None:
    assert change[0] in example
    with pytest.raises(SourceInvalid, match=said) as refused:
        source(tmp_path, example.replace(*change))
    assert "us:password" not in refused.value.message
