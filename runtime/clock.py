"""The clock of every process."""

from kernel import SystemClock

CLOCK = SystemClock()
