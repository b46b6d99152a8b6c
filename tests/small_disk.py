"""A small file system of its own (tmpfs), which a test can fill up to the last page and empty again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

PAGE_BYTES: Final = 4_096


@dataclass(frozen=True)
class Disk:
    root: Path

    @property
    def _ballast(self) -> Path:
        return self.root / ".ballast"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def fill(self, *, but: int = 0) -> None:
        """Until no more than `but` bytes, whole pages, are free."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while self.free_bytes > but:
                file.write(bytes(min(1_000_000, self.free_bytes - but)))
        assert self.free_bytes <= max(but, 0)

    def empty(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink()

    def names(self, folder: str = ".") -> set[str]:
        return {path.name for path in (self.root / folder).iterdir()} - {self._ballast.name}


@contextlib.contextmanager
def small_disk(folder: Path, *, kilobytes: int) -> Iterator[Disk]:
    """Mounted at `folder` while the block runs. Skips the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small file system that this test fills")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs for its root: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        # Lazily: what a failed test left open must not hide why it failed.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
