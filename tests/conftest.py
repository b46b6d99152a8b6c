"""What holds for every test."""

import os

# Tests share their processors with each other: syncs that wait for idle time would wait for all the other tests.
os.environ.setdefault("KNUDEPUNKT_WORKER__IDLE_TIME", "false")
