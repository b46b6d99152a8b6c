"""Which bytes have left, whatever order they were asked for in."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from extract.delivery.coverage import Coverage
from extract.delivery.manifest import Manifest
from tests.extract.builders import PUBLISHED, plan

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1])), max_size=25)


def manifest(rows: int, size_bytes: int) -> Manifest:
    return Manifest.of(plan(), rows=rows, size_bytes=size_bytes, sha256="0" * 64, created=PUBLISHED)


class TestCoverage:
    @given(spans)
    def test_is_the_set_of_bytes_that_were_given(self, given_: list[tuple[int, int]]) -> None:
        coverage = Coverage()
        for start, stop in given_:
            coverage.add(start, stop)
        bytes_ = {at for start, stop in given_ for at in range(start, stop)}
        assert {at for start, stop in coverage.spans for at in range(start, stop)} == bytes_
        assert coverage.size_bytes == len(bytes_)
        apart = [after[0] > before[1] for before, after in pairwise(coverage.spans)]
        assert all(apart)

    def test_reaches_the_end_only_without_a_hole(self) -> None:
        coverage = Coverage()
        coverage.add(0, 10)
        coverage.add(20, 30)
        assert not coverage.reaches(30)
        coverage.add(10, 20)
        assert coverage.reaches(30)

    def test_reaches_the_end_when_it_resumed_where_another_was_cut(self) -> None:
        coverage = Coverage()
        coverage.add(20, 30)
        assert coverage.reaches(30)

    def test_stays_small_and_never_counts_too_little_when_a_client_leaves_holes(self) -> None:
        coverage = Coverage()
        for at in range(0, 10_000, 2):
            coverage.add(at, at + 1)
        assert len(coverage.spans) <= 1_000
        assert coverage.size_bytes >= 5_000
        assert not coverage.reaches(9_999)


class TestRowsBetween:
    @given(st.integers(0, 1_000), st.integers(1, 500), st.lists(st.integers(0, 500)))
    def test_parts_add_up_to_the_rows_however_the_file_is_cut(self, rows: int, size: int, cuts: list[int]) -> None:
        known = manifest(rows, size)
        edges = [0, *sorted(min(cut, size) for cut in cuts), size]
        assert sum(known.rows_between(a, b) for a, b in pairwise(edges)) == rows


class TestManifest:
    def test_comes_back_from_its_json(self) -> None:
        known = manifest(3, 4)
        assert Manifest.from_json(known.to_json()) == known

    def test_leaves_out_what_a_later_version_adds(self) -> None:
        known = manifest(3, 4)
        later = known.to_json().replace(b'"rows": 3', b'"rows": 3, "signature": "x"')
        assert Manifest.from_json(later) == known
