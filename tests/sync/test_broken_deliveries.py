"""What is wrong with a delivery: refused whole, or held back line by line with a reason."""

import random
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import DatasetId
from schemas import SHIPPED, Dataset, load_registers
from sync import DeliveryIncomplete, DeliveryMiscounted, DeliveryOutOfChain, DeliveryUnreadable
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.sources.decoded import Decoded
from sync.testdata import generate
from tests.sync.reading import decoded_by, origin_of
from tests.sync.test_cpr_decoder import decode

PERSONS = load_registers(SHIPPED).dataset(DatasetId("cpr.persons"))
LINES = b"".join(generate(24, 3)).splitlines()
"""Six families; the third, `LINES[PROTECTED]` and so on, is protected by name and address."""
KEYS = sorted({line[3:13].decode() for line in LINES[1:-1]})


def sealed(lines: list[bytes]) -> bytes:
    """A delivery with a true count in its end record."""
    body = [line for line in lines if line[:3] not in (b"000", b"999")]
    return b"\n".join([LINES[0], *body, b"999" + b"9" * 10 + f"{len(body):08}".encode(), b""])


def where(code: str, nth: int = 0) -> int:
    """Index of the nth line of a record."""
    return [index for index, line in enumerate(LINES) if line.startswith(code.encode())][nth]


def spoilt(index: int, spoil: Callable[[bytes], bytes]) -> bytes:
    return sealed([*LINES[:index], spoil(LINES[index]), *LINES[index + 1 :]])


def rules(decoded: Decoded) -> dict[str, int]:
    return dict(decoded.quarantine.group_by("rule").len().iter_rows())


def published(decoded: Decoded) -> set[str]:
    return set(decoded.rows["pnr"].to_pylist())


def put(text: bytes, start: int) -> Callable[[bytes], bytes]:
    """Write over a line from a 1-based position."""
    return lambda line: line[: start - 1].ljust(start - 1) + text + line[start - 1 + len(text) :]


class TestADelivery:
    def test_without_its_end_record_is_refused(self) -> None:
        with pytest.raises(DeliveryIncomplete) as refused:
            decode(b"\n".join(LINES[:-1]), PERSONS)
        assert refused.value.code == "delivery_incomplete"

    def test_cut_within_its_end_record_is_refused(self) -> None:
        with pytest.raises(DeliveryIncomplete):
            decode(b"\n".join(LINES)[:-2], PERSONS)

    def test_with_nothing_in_it_is_refused(self) -> None:
        with pytest.raises(DeliveryIncomplete):
            decode(b"\n\n", PERSONS)

    def test_with_another_count_than_its_end_record_is_refused(self) -> None:
        with pytest.raises(DeliveryMiscounted):
            decode(b"\n".join(LINES[:5] + LINES[6:]), PERSONS)

    def test_with_another_count_is_read_with_a_warning_when_the_source_is_not_strict(self) -> None:
        with_twice = LINES[:-1] + [LINES[where("099")]] * 2 + LINES[-1:] if b"099" in LINES else LINES
        decoded = decode(b"\n".join([*with_twice[:-1], LINES[-1][:13] + b"00000001"]), PERSONS, strict=False)
        assert decoded.warnings == (f"the end record counts 1 records, {len(LINES) - 2} were delivered",)

    def test_without_a_start_record_is_refused(self) -> None:
        with pytest.raises(DeliveryUnreadable, match="start record"):
            decode(b"\n".join(LINES[1:]), PERSONS)

    def test_without_line_separators_is_refused_with_that_reason(self) -> None:
        with pytest.raises(DeliveryUnreadable, match="not separated"):
            decode(b"".join(LINES), PERSONS)

    def test_with_a_production_date_that_is_no_date_is_refused(self) -> None:
        with pytest.raises(DeliveryUnreadable, match="no date"):
            decode(b"\n".join([put(b"20261399", 20)(LINES[0]), *LINES[1:]]), PERSONS)

    def test_may_hold_error_records_after_its_end(self) -> None:
        error = put(b"8452", 89)(b"910" + b"9" * 10 + b"01" * 10)
        decoded = decode(sealed(LINES) + error + b"\n", PERSONS)
        assert (decoded.lines_envelope, decoded.rows.num_rows) == (2, 24)
        assert decoded.warnings == ("1 error records",)
        # They are kept, and nobody is held back for them.
        assert decoded.quarantine.select("rule", "reason", "text").rows() == [
            ("error_record", "the register's error 8452", error.decode())
        ]
        again = CprDecoder(load_layout("a"), PERSONS.arrow).again(decoded.frame, decoded.quarantine["text"].to_list())
        assert rules(decode(again, PERSONS)) == {"error_record": 1}

    def test_of_one_record_after_the_other_is_cut_by_their_lengths(self) -> None:
        lengths = {record.type: record.length for record in load_layout("a").records.values()}
        whole = b"".join(line.ljust(lengths[line[:3].decode()]) for line in LINES)
        decoded = decode(whole, PERSONS, separated=False)
        separated = decode(b"\n".join(LINES), PERSONS)
        assert decoded.rows.equals(separated.rows)
        assert origin_of(decoded, "pnr").equals(origin_of(separated, "pnr"))
        assert decode(whole.rstrip() + b"\r\n", PERSONS, separated=False).rows.equals(separated.rows)

    def test_cut_by_another_versions_lengths_is_refused(self) -> None:
        lengths = {record.type: record.length for record in load_layout("a").records.values()} | {"001": 106}
        whole = b"".join(line.ljust(lengths[line[:3].decode()]) for line in LINES)
        with pytest.raises(DeliveryUnreadable, match="record 3 begins with a type that the layout does not have"):
            decode(whole, PERSONS, separated=False)
        older = CprDecoder(load_layout("a").with_lengths({"001": 106}), PERSONS.arrow, Manner(separated=False))
        assert decoded_by(older, whole).rows.equals(decode(b"\n".join(LINES), PERSONS).rows)

    def test_without_separators_that_ends_within_a_record_is_refused(self) -> None:
        lengths = {record.type: record.length for record in load_layout("a").records.values()}
        whole = b"".join(line.ljust(lengths[line[:3].decode()]) for line in LINES)
        with pytest.raises((DeliveryUnreadable, DeliveryIncomplete)):
            decode(whole[:-50], PERSONS, separated=False)

    def test_with_record_types_that_the_layout_does_not_have_keeps_and_counts_them(self) -> None:
        unknown = [b"098" + KEYS[0].encode() + b"new", b"098" + KEYS[1].encode(), b"\xe6\xf8\xe5" + KEYS[2].encode()]
        decoded = decode(sealed([*LINES, *unknown]), PERSONS)
        assert decoded.rows.num_rows == 24
        assert rules(decoded) == {"unknown_record": 3}
        assert decoded.warnings == (
            "2 lines of 098, a record type that the layout does not have",
            "1 lines of no letters or digits, a record type that the layout does not have",
        )

    def test_holds_back_who_has_a_record_after_its_end(self) -> None:
        protection = LINES[where("004")]
        decoded = decode(sealed(LINES) + protection + b"\n", PERSONS)
        assert rules(decoded)["after_end"] == 1
        assert protection[3:13].decode() not in published(decoded)

    def test_that_does_not_follow_on_the_last_one_is_loaded_with_a_warning(self) -> None:
        follows = put(b"20261028", 28)(LINES[0])
        delivery = b"\n".join([follows, *LINES[1:]])
        former = {"job": "990001", "produced": "2026-10-27"}
        decoder = CprDecoder(load_layout("a"), PERSONS.arrow)
        decoded = decoded_by(decoder, delivery, former)
        assert decoded.warnings == ("the delivery follows on that of 2026-10-28, the last one loaded is of 2026-10-27",)
        strict = CprDecoder(load_layout("a"), PERSONS.arrow, Manner(strict_chain=True))
        with pytest.raises(DeliveryOutOfChain):
            decoded_by(strict, delivery, former)


class TestHeldBackLines:
    """As one delivery of their own, for the quarantine's replay."""

    @pytest.mark.parametrize("separated", [True, False])
    def test_are_read_again_as_they_were(self, separated: bool) -> None:
        broken = spoilt(where("004"), put(b"19x0-01-01", 18)).splitlines()
        lengths = {record.type: record.length for record in load_layout("a").records.values()}
        whole = b"".join(line.ljust(lengths[line[:3].decode()]) for line in broken)
        decoder = CprDecoder(load_layout("a"), PERSONS.arrow, Manner(separated=separated))
        first = decoded_by(decoder, b"\n".join(broken) if separated else whole)
        assert rules(first) == {"wrong_type": 1, "person_held_back": first.quarantine.height - 1}
        again = decoded_by(decoder, decoder.again(first.frame, first.quarantine["text"].to_list()))
        assert (again.rows_in, again.rows_quarantined) == (1, 1)
        assert again.quarantine.drop("line").equals(first.quarantine.drop("line"))

    def test_pass_once_their_fault_is_mended(self) -> None:
        number = LINES[where("004")][3:13]
        own = [line.decode("iso-8859-1") for line in LINES if line[3:13] == number and line[:3] not in (b"000", b"999")]
        decoder = CprDecoder(load_layout("a"), PERSONS.arrow)
        again = decoded_by(decoder, decoder.again(LINES[0].decode(), own))
        assert again.quarantine.is_empty()
        assert again.rows.to_pylist() == [
            row for row in decode(b"\n".join(LINES), PERSONS).rows.to_pylist() if row["pnr"] == number.decode()
        ]

    def test_of_an_unknown_type_never_make_half_a_person(self) -> None:
        decoder = CprDecoder(load_layout("a"), PERSONS.arrow)
        again = decoded_by(decoder, decoder.again(LINES[0].decode(), [LINES[where("004")].decode()]))
        assert (again.rows.num_rows, rules(again)) == (0, {"person_incomplete": 1})


class TestALineIsHeldBack:
    @pytest.mark.parametrize(
        ("code", "spoil", "rule", "reason"),
        [
            ("001", lambda line: line[:30], "line_cut", "001 STATUSHAENSTART at 26+12: not a time YYYYMMDDhhmm"),
            ("004", lambda line: line[:15], "line_cut", "004 BESKYTTYPE at 14+4: not 4 digits"),
            ("004", lambda line: line[:17], "line_cut", "004 START_DT-BESKYTTELSE at 18+10: nothing there"),
            ("008", lambda line: line[:60], "line_cut", "008 NVNHAENSTART at 147+12: nothing there"),
            ("001", put(b"0x", 24), "wrong_type", "001 STATUS at 24+2: not 2 digits"),
            ("001", put(b"  ", 24), "value_missing", "001 STATUS at 24+2: nothing there"),
            ("001", put(b"19800229x", 40), "wrong_type", "001 FOED_DT at 40+10: not a date YYYY-MM-DD"),
            ("001", put(b"1980-13-01", 40), "date_impossible", "001 FOED_DT at 40+10: no such date"),
            ("001", put(b"1981-02-29", 40), "date_impossible", "001 FOED_DT at 40+10: no such date"),
            ("001", put(b"0000-02-01", 40), "date_impossible", "001 FOED_DT at 40+10: no such date"),
            (
                "010",
                put(b"199113201299", 18),
                "date_impossible",
                "010 HAENSTART-STATSBORGERSKAB at 18+12: no such date",
            ),
            ("012", put(b"01019x0001", 15), "wrong_type", "012 AEGTEPNR at 15+10: not ten digits"),
            ("008", put(b"\x07", 20), "wrong_type", "008: holds a control character"),
            ("037", put(b"rest", 50), "line_overlong", "037: longer than 49 characters"),
        ],
    )
    def test_that_breaks_its_record(self, code: str, spoil: Callable[[bytes], bytes], rule: str, reason: str) -> None:
        index = where(code)
        decoded = decode(spoilt(index, spoil), PERSONS)
        broken = decoded.quarantine.filter(pl.col("rule") != "person_held_back")
        assert broken.rows() == [(index + 1, rule, reason, spoil(LINES[index]).decode("iso-8859-1"))]
        assert published(decoded) == set(KEYS) - {LINES[index][3:13].decode()}

    def test_when_its_record_type_is_not_known_and_only_that_line(self) -> None:
        decoded = decode(spoilt(where("060") if b"060" in b"".join(LINES) else 9, put(b"777", 1)), PERSONS)
        assert rules(decoded) == {"unknown_record": 1}
        assert published(decoded) == set(KEYS)

    def test_when_its_personal_number_is_garbled_and_with_it_whoever_it_may_belong_to(self) -> None:
        index = where("004")
        decoded = decode(spoilt(index, put(b"?", 8)), PERSONS)
        assert rules(decoded)["personal_number_malformed"] == 1
        assert LINES[index][3:13].decode() not in published(decoded)
        assert len(published(decoded)) == len(KEYS) - 1

    @pytest.mark.parametrize("length", range(1, 13))
    def test_when_it_is_cut_within_the_number_and_with_it_whoever_it_may_belong_to(self, length: int) -> None:
        index = where("004")
        decoded = decode(spoilt(index, lambda line: line[:length]), PERSONS)
        assert rules(decoded)["line_cut"] == 1
        fragment = LINES[index][3:length].decode()
        assert published(decoded) == {key for key in KEYS if not key.startswith(fragment)}

    def test_when_a_person_has_more_of_a_record_than_a_person_can_have(self) -> None:
        index = where("008")
        decoded = decode(sealed([*LINES, LINES[index]]), PERSONS)
        assert rules(decoded)["record_repeated"] == 2
        assert LINES[index][3:13].decode() not in published(decoded)

    def test_when_its_person_lacks_a_record_that_everyone_has(self) -> None:
        index = where("008")
        decoded = decode(sealed(LINES[:index] + LINES[index + 1 :]), PERSONS)
        assert set(rules(decoded)) == {"person_incomplete"}
        assert decoded.quarantine["reason"].unique().to_list() == ["the person has no record 008"]
        assert LINES[index][3:13].decode() not in published(decoded)


class TestUncertainDates:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("194100001299", "1941-01-01 12:00:00"),
            ("196100000000", "1961-01-01 00:00:00"),
            ("194109002000", "1941-09-01 20:00:00"),
            ("199103201299", "1991-03-20 12:00:00"),
            ("199103202599", "1991-03-20 00:00:00"),
            ("199100150000", "1991-01-15 00:00:00"),
            ("000000001299", None),
        ],
    )
    def test_are_the_earliest_moment_possible_with_the_text_beside(self, text: str, moment: str | None) -> None:
        index = where("010")
        decoded = decode(spoilt(index, put(text.encode() + b"*", 18)), PERSONS)
        row = next(r for r in decoded.rows.to_pylist() if r["pnr"] == LINES[index][3:13].decode())
        value = row["citizenship"]["valid_from"]
        assert (str(value) if value else None) == moment
        assert {"field": "citizenship.valid_from", "text": text} in row["as_delivered"]

    @pytest.mark.parametrize("text", ["000000000000", " " * 12])
    def test_of_zeros_or_blanks_are_none(self, text: str) -> None:
        index = where("012")
        decoded = decode(spoilt(index, put(text.encode(), 84)), PERSONS)
        row = next(r for r in decoded.rows.to_pylist() if r["pnr"] == LINES[index][3:13].decode())
        assert row["civil_status"]["separation_reference"] is None
        assert not any("separation_reference" in entry["field"] for entry in row["as_delivered"])

    def test_with_a_mark_that_nobody_knows_keep_the_mark(self) -> None:
        index = where("001")
        decoded = decode(spoilt(index, put(b"?", 50)), PERSONS)
        row = next(r for r in decoded.rows.to_pylist() if r["pnr"] == LINES[index][3:13].decode())
        assert row["birth_date_uncertain"] is True
        assert {"field": "birth_date_uncertain", "text": "?"} in row["as_delivered"]


@st.composite
def mutations(draw: st.DrawFn) -> list[bytes]:
    """The delivery's lines, some of them cut, garbled, doubled, retyped or lost."""
    lines = LINES[1:-1]
    for _ in range(draw(st.integers(1, 6))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        match draw(st.sampled_from(["cut", "garble", "double", "retype", "lose", "bytes"])):
            case "cut":
                lines = [*lines[:index], line[: draw(st.integers(0, len(line)))], *lines[index + 1 :]]
            case "garble":
                place = draw(st.integers(0, max(0, len(line) - 1)))
                other = bytes([draw(st.integers(0, 255).filter(lambda byte: byte != 10))])
                lines = [*lines[:index], line[:place] + other + line[place + 1 :], *lines[index + 1 :]]
            case "double":
                lines = [*lines, line]
            case "retype":
                code = draw(st.sampled_from([b"777", b"014", b"004", b"001", b"000", b"02B", b"997"]))
                lines = [*lines[:index], code + line[3:], *lines[index + 1 :]]
            case "lose":
                lines = lines[:index] + lines[index + 1 :]
            case "bytes":
                noise = draw(st.binary(max_size=40)).replace(b"\n", b"")
                lines = [*lines[:index], noise, *lines[index:]]
    return lines


class TestWhateverIsWrong:
    @given(mutations(), st.randoms(use_true_random=False))
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_the_counts_add_up_and_the_order_of_lines_never_matters(
        self, lines: list[bytes], rng: random.Random
    ) -> None:
        lines = [line for line in lines if line.strip(b" \r") and not line.startswith(b"999")]
        decoded = decode(sealed_raw(lines), PERSONS)
        ensure_counts(decoded, len(lines) + 2)
        shuffled = lines.copy()
        rng.shuffle(shuffled)
        again = decode(sealed_raw(shuffled), PERSONS)
        assert again.rows.equals(decoded.rows)
        assert sorted(again.quarantine.drop("line").rows()) == sorted(decoded.quarantine.drop("line").rows())

    @given(st.binary(max_size=400))
    @settings(max_examples=15, deadline=None)
    def test_a_file_of_anything_is_refused_or_counted(self, body: bytes) -> None:
        body = body.replace(b"\n999", b"\n998")
        try:
            decoded = decode(sealed_raw([body]), PERSONS, strict=False)
        except DeliveryIncomplete:
            return
        ensure_counts(decoded, decoded.lines_in)


def sealed_raw(lines: list[bytes]) -> bytes:
    return b"\n".join([LINES[0], *lines, b"999" + b"9" * 10 + f"{len(lines):08}".encode(), b""])


def ensure_counts(decoded: Decoded, lines: int) -> None:
    assert decoded.lines_in == lines
    assert decoded.lines_in == decoded.lines_envelope + decoded.origin.height + decoded.quarantine.height
    assert decoded.rows_in == decoded.rows.num_rows + decoded.rows_quarantined
    origin = origin_of(decoded, "pnr")
    kept, held = set(origin["line"]), set(decoded.quarantine["line"])
    assert len(kept) + len(held) == decoded.origin.height + decoded.quarantine.height
    assert not kept & held
    assert set(origin["key"]) == published(decoded)
    assert decoded.quarantine.null_count().pipe(sum_of_row) == 0


def sum_of_row(frame: pl.DataFrame) -> int:
    return int(sum(frame.row(0)))


def test_the_dataset_is_the_shipped_one(persons: Dataset) -> None:
    assert persons.names == PERSONS.names
