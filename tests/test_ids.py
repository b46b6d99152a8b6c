"""Ids are UUIDs that sort by the time they were made."""

import time
import uuid

from kernel import new_id


def test_an_id_is_a_uuid_of_version_7_as_the_library_writes_it() -> None:
    for _ in range(200):
        before = time.time_ns() // 1_000_000
        made = new_id()
        read = uuid.UUID(made)
        assert (str(read), read.version, read.variant) == (made, 7, uuid.RFC_4122)
        assert before <= read.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_sort_by_the_millisecond_and_are_never_the_same() -> None:
    made = []
    for _ in range(20):
        made.append(new_id())
        time.sleep(0.001)
    assert sorted(made) == made
    assert len({new_id() for _ in range(10_000)}) == 10_000
