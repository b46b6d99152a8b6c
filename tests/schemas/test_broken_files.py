"""Whatever a file holds, the check answers with findings; it never breaks, and never loads what is broken."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import ContractInvalid, Severity, check_registers, load_registers, read_document
from tests.schemas.builders import PROTECTIONS, RULE, a_contract, a_service, custom, dump, errors, write

CONTRACT = a_contract(
    PROTECTIONS,
    {"name": "owner", "logicalType": "string", "classification": "protected", "enum": [{"value": "01"}]},
    {"name": "flag", "logicalType": "string", "logicalTypeOptions": {"pattern": "[A-Z]{2}"}},
    {"name": "length", "logicalType": "number", "logicalTypeOptions": {"minimum": 0, "maximum": 500}},
    customProperties=custom(protection=RULE, freshnessTargetSeconds=60),
)


def doubling(shape: str, *, levels: int) -> bytes:
    """A small file in which each level holds the one before it several times, as `shape` has it."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels + 1):
        before = [f"*a{level - 1}"] * shape.count("{}")
        lines.append(f"a{level}: &a{level} " + shape.format(*before))
    return "\n".join(lines).encode()


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n\n# nothing here\n",
    "binary": bytes(range(256)),
    "latin-1": "name: Skibsfører, Ærø".encode("latin-1"),
    "utf-16": "name: ships".encode("utf-16"),
    "list": b"- a\n- b\n",
    "text": b"ships",
    "number": b"17",
    "two documents": b"a: 1\n---\nb: 2\n",
    "open bracket": b"schema: [",
    "tab": b"schema:\n\t- name: ships\n",
    "python object": b"a: !!python/object/apply:os.system ['true']\n",
    "wrong tags": b"a: !!int ''\nb: !!bool maybe\nc: !!timestamp soon\n",
    "unhashable key": b"? [a, b]\n: c\n",
    "unknown alias": b"a: *b\n",
    "holds itself": b"&a [*a]\n",
    "deep": b"[" * 1500,
    "deep mapping": b"a: " + b"{a: " * 500 + b"1" + b"}" * 500,
    "half a character": b'apiVersion: "\\ud800"\n',
    "nul": b"a: \x00\n",
    "long number": b"a: " + b"9" * 5000 + b"\n",
    "number beyond floats": b"a: " + b"9" * 400 + b"\n",
    "many aliases": doubling("[{},{},{},{},{},{},{},{},{}]", levels=11),
    "many aliases in mappings": doubling("{{x: {}, y: {}}}", levels=39),
    "the same key, doubling": doubling("{{x: {}, x: {}}}", levels=39),
    "many merges": doubling("{{<<: [{},{},{},{},{},{},{},{},{}]}}", levels=11),
    "large": b"a: " + b"x" * 3_000_000,
}


class TestBrokenFile:
    @pytest.mark.parametrize("name", BROKEN)
    @pytest.mark.parametrize("file", ["ships.odcs.yaml", "ships.service.yaml"])
    def test_is_found_and_not_loaded(self, tmp_path: Path, name: str, file: str) -> None:
        folder = write(tmp_path / "ships", services=(a_service(),))
        (folder / file).write_bytes(BROKEN[name])
        found = errors(folder)
        assert found
        assert all(finding.path.name == file for finding in found)
        assert all(finding.remedy for finding in found)
        with pytest.raises(ContractInvalid):
            load_registers(folder)

    def test_may_be_a_folder(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "ships")
        (folder / "ships.service.yaml").mkdir()
        (found,) = errors(folder)
        assert "cannot be read" in found.problem

    def test_with_a_key_twice_is_pointed_at_by_line(self, tmp_path: Path) -> None:
        text = dump(a_service()) + "name: boats\n"
        folder = write(tmp_path / "ships")
        (folder / "boats.service.yaml").write_text(text, encoding="utf-8")
        (found,) = errors(folder)
        assert (found.where, found.line) == ("name", len(text.splitlines()))
        assert "twice" in found.problem

    def test_in_another_encoding_is_pointed_at_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "x.yaml"
        path.write_bytes("name: ships\ntitle: Ærø\n".encode("latin-1"))
        document, (found,) = read_document(path)
        assert document is None
        assert found.line == 2

    def test_a_byte_order_mark_breaks_nothing(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "ships")
        (folder / "ships.odcs.yaml").write_bytes(b"\xef\xbb\xbf" + dump(a_contract()).encode())
        assert errors(folder) == []

    def test_anchors_and_merged_mappings_are_plain_yaml(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "ships")
        text = dump(a_service(title=None, description=None))
        text += "title: &words {da: Skibe, en: Ships}\ndescription:\n  <<: *words\n  en: Look a ship up.\n"
        (folder / "ships.service.yaml").write_text(text, encoding="utf-8")
        assert load_registers(folder).service("ships").description == {"da": "Skibe", "en": "Look a ship up."}


def values() -> st.SearchStrategy[Any]:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.just(10**400)
        | st.floats()
        | st.text(max_size=8)
        | st.dates()
        | st.sampled_from(["string", "array", "object", "personal", "protections", "ships", "v3.0.2", "(", "replica"])
    )
    names = st.text(max_size=5) | st.integers()
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with some of its parts replaced, taken away, or given something beside them."""
    made: dict[str, Any] = document
    for _ in range(draw(st.integers(1, 4))):
        made = draw(_mutated_once(made))
    return made


@st.composite
def _mutated_once(draw: st.DrawFn, part: Any) -> Any:
    if isinstance(part, dict) and part:
        name = draw(st.sampled_from(list(part)))
        what = draw(st.sampled_from(["inside", "inside", "inside", "remove", "add"]))
        if what == "remove":
            return {key: value for key, value in part.items() if key != name}
        if what == "add":
            return part | {draw(st.sampled_from([*_FIELDS]) | st.text(max_size=5)): draw(values())}
        return part | {name: draw(_mutated_once(part[name]))}
    if isinstance(part, list) and part:
        place = draw(st.integers(0, len(part) - 1))
        what = draw(st.sampled_from(["inside", "inside", "remove", "repeat"]))
        if what == "remove":
            return part[:place] + part[place + 1 :]
        if what == "repeat":
            return [*part, part[place]]
        return [*part[:place], draw(_mutated_once(part[place])), *part[place + 1 :]]
    return draw(values())


_FIELDS = (
    "properties", "items", "quality", "enum", "customProperties", "logicalTypeOptions", "relationships", "team",
    "classification", "transformSourceObjects", "primaryKey", "price", "context", "dataset", "stub",
)  # fmt: skip


def ensure_found_or_loaded(contract: str | bytes, service: str | bytes) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place) / "ships"
        folder.mkdir()
        for name, content in (("ships.odcs.yaml", contract), ("ships.service.yaml", service)):
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        found = check_registers(folder)
        for finding in found:
            assert str(finding).encode()
            assert finding.remedy
            assert finding.line >= 0
        if any(finding.severity is Severity.ERROR for finding in found):
            with pytest.raises(ContractInvalid):
                load_registers(folder)
        else:
            for dataset in load_registers(folder).datasets:
                assert dataset.key in dataset.arrow.names


class TestAnyFile:
    @settings(max_examples=80, deadline=None)
    @given(mutated(CONTRACT))
    def test_a_contract_is_found_wrong_or_can_be_used(self, contract: dict[str, Any]) -> None:
        ensure_found_or_loaded(dump(contract), dump(a_service()))

    @settings(max_examples=60, deadline=None)
    @given(mutated(a_service()))
    def test_a_service_is_found_wrong_or_can_be_used(self, service: dict[str, Any]) -> None:
        ensure_found_or_loaded(dump(CONTRACT), dump(service))

    @settings(max_examples=80, deadline=None)
    @given(st.integers(0, 5000), st.integers(0, 60), st.binary(max_size=12))
    def test_a_file_that_was_damaged_is_found_wrong_or_can_be_used(self, start: int, cut: int, put: bytes) -> None:
        whole = dump(CONTRACT).encode()
        start %= len(whole)
        ensure_found_or_loaded(whole[:start] + put + whole[start + cut :], dump(a_service()))

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=200) | st.text(max_size=200))
    def test_noise_is_found_wrong(self, noise: bytes | str) -> None:
        ensure_found_or_loaded(noise, noise)
