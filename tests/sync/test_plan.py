"""What to load and whether to publish it: values in, values out."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from replica import Counts, Mode
from sync import CsvSpec, FolderSpec, SourceSpec
from sync.plan import Cursor, Facts, guard, pending, plan_load
from sync.sources import Offered


def offered(name: str, version: str = "1") -> Offered:
    return Offered(name=name, size_bytes=1, version=version, modified=datetime(2026, 1, 1, tzinfo=UTC))


def spec(mode: Mode) -> SourceSpec:
    return SourceSpec(
        name="s",
        dataset="r.d",  # type: ignore[arg-type]
        connector=FolderSpec(path=Path(), pattern="*"),
        decoder=CsvSpec(),
        mode=mode,
        max_quarantine_share=0.1,
        max_deleted_share=0.2,
    )


def facts(**told: int) -> Facts:
    return Facts(**({"rows_in": 100, "rows_quarantined": 0, "lines_quarantined": 0, "mirrored": 100} | told))


def counts(**told: int) -> Counts:
    return Counts(**({"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 0, "before": 100} | told))


class TestPending:
    def test_leaves_out_what_was_loaded_and_comes_by_name(self) -> None:
        cursor = Cursor(loaded={"a": ("1", "hash"), "b": ("1", "hash")})
        files = [offered("c"), offered("b", "2"), offered("a")]
        assert [file.name for file in pending(files, cursor)] == ["b", "c"]


class TestACursor:
    def test_comes_back_from_its_text(self) -> None:
        cursor = Cursor(position={"job": "1"}, loaded={"a": ("1", "hash")})
        assert Cursor.from_text(cursor.to_text()) == cursor

    def test_forgets_files_that_are_offered_no_more(self) -> None:
        cursor = Cursor(loaded={"a": ("1", "x"), "b": ("1", "y")})
        after = cursor.after(offered("c"), "z", {}, [offered("b"), offered("c")])
        assert after.loaded == {"b": ("1", "y"), "c": ("1", "z")}


class TestPlanLoad:
    def test_lets_a_sound_file_through_in_the_mode_of_its_source(self) -> None:
        for mode in (Mode.FULL, Mode.DELTA):
            assert plan_load(spec(mode), facts()).mode is mode
            assert plan_load(spec(mode), facts()).refusal is None

    def test_refuses_a_file_of_which_too_much_is_held_back(self) -> None:
        assert plan_load(spec(Mode.DELTA), facts(rows_quarantined=10)).refusal is None
        refusal = plan_load(spec(Mode.DELTA), facts(rows_quarantined=11)).refusal
        assert refusal is not None
        assert refusal.code == "quarantine_too_large"

    def test_takes_such_a_file_when_somebody_accepts_it_and_says_so(self) -> None:
        plan = plan_load(spec(Mode.DELTA), facts(rows_quarantined=11), accept=True)
        assert plan.refusal is None
        assert plan.warnings == ("accepted: 11 of 100 rows were held back, more than 10% of them",)

    def test_deletes_nothing_in_a_full_load_with_lines_held_back(self) -> None:
        plan = plan_load(spec(Mode.FULL), facts(lines_quarantined=1))
        assert plan.mode is Mode.DELTA
        assert plan.warnings == ("nothing was deleted, since 1 lines were held back",)


class TestTheGuard:
    def test_trips_when_more_is_deleted_than_the_source_may_lose(self) -> None:
        assert guard(spec(Mode.FULL), counts(deleted=20)) is None
        refusal = guard(spec(Mode.FULL), counts(deleted=21))
        assert refusal is not None
        assert refusal.code == "source_shrank"

    def test_trips_when_more_changes_than_the_source_may_change(self) -> None:
        careful = replace(spec(Mode.FULL), max_changed_share=0.5)
        assert guard(careful, counts(updated=50)) is None
        refusal = guard(careful, counts(updated=51))
        assert refusal is not None
        assert refusal.code == "source_changed"

    def test_lets_a_first_load_through(self) -> None:
        assert guard(spec(Mode.FULL), counts(inserted=1_000, before=0)) is None
