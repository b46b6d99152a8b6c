"""The decoders in the guide for operators are parts of source files that load, and every kind has its example."""

import re
from pathlib import Path
from typing import get_args

import pytest

from sync import SourceInvalid, SourceSpec, load_sources
from sync.decoders import DecoderBody

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operators.md"
EXAMPLES = re.findall(r"```yaml\n(decoder:.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
REST = """
name: libraries
dataset: libraries.libraries
connector: {kind: folder, path: inbox/libraries, pattern: "*"}
mode: delta
"""


def source(folder: Path, decoder: str) -> SourceSpec:
    (folder / "libraries.source.yaml").write_text(REST + decoder)
    (spec,) = load_sources(folder, root=folder)
    return spec


def kind_of(example: str) -> str:
    found = re.search(r"kind: (\w+)", example)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("example", EXAMPLES, ids=kind_of)
def test_an_example_of_the_guide_is_a_decoder(tmp_path: Path, example: str) -> None:
    assert source(tmp_path, example).decoder


def test_every_kind_has_its_example() -> None:
    bodies = get_args(get_args(DecoderBody)[0])
    kinds = {get_args(body.model_fields["kind"].annotation)[0] for body in bodies}
    assert {kind_of(example) for example in EXAMPLES} == kinds


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        ("decoder: {kind: ndjson, operation: {column: op, delete: [D], upsert: [D, U]}}", "gone and that it is there"),
        ("decoder: {kind: ndjson, operation: {column: op, delete: []}}", "upsert"),
        ("decoder: {kind: xml, record: library}", "mapping"),
        ("decoder: {kind: json, record: library}", "record"),
        ("decoder: {kind: guess}", "'ndjson'"),
    ],
)
def test_a_decoder_that_cannot_be_used_is_refused(tmp_path: Path, decoder: str, said: str) -> None:
    with pytest.raises(SourceInvalid, match=said):
        source(tmp_path, decoder)
