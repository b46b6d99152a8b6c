"""What holds for every test."""

import os

from hypothesis import HealthCheck, settings

# Tests share their processors with each other: syncs that wait for idle time would wait for all the other tests.
os.environ.setdefault("KNUDEPUNKT_WORKER__IDLE_TIME", "false")
# Nor is the disk theirs alone: where little is free, only the tests of that look at it.
os.environ.setdefault("KNUDEPUNKT_EXTRACTS__FREE_MB", "0")
os.environ.setdefault("KNUDEPUNKT_EXTRACTS__FREE_PERCENT", "0")

# Since processors are shared, no example is wrong because it took long. Each run looks at the same examples, so that a
# change is judged by what it changes; new ones are looked for with --hypothesis-profile=search. What a test says of its
# own takes the place of what is said here: one that suppresses another check names this one too.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", settings.get_profile("search"), derandomize=True)
settings.load_profile("house")
