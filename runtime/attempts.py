"""What came of the last try to run each source, refused and unreachable ones too: the mirror keeps only what it took.

One small file per source in the instance's run folder, replaced as a whole. No personal data: what errors say.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kernel import PlatformError
from runtime.files import write_whole

if TYPE_CHECKING:
    from sync import RunReport

PATIENCE_S = 60
LONGEST_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """failures   tries in a row that came to nothing, this one included
    code       of the error; None when it went well
    """

    at: datetime
    failures: int
    code: str | None = None
    message: str = ""
    remedy: str = ""

    def retry_at(self) -> datetime | None:
        """When a source in trouble is to be looked at again, each time later; None when the try went well."""
        if not self.failures:
            return None
        doublings = min(self.failures - 1, 10)
        return self.at + timedelta(seconds=min(LONGEST_S, PATIENCE_S * 2**doublings))


@dataclass(frozen=True, slots=True)
class Attempts:
    folder: Path

    def last(self, source: str) -> Attempt | None:
        """None before the first, and when the file cannot be read: it only explains."""
        try:
            told = json.loads((self.folder / f"{source}.json").read_text(encoding="utf-8"))
            return Attempt(**(told | {"at": datetime.fromisoformat(told["at"])}))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def went(self, source: str, at: datetime, report: "RunReport") -> None:
        refused = next((file for file in report.files if file.code is not None), None)
        if refused is None:
            self._write(source, Attempt(at=at, failures=0))
        else:
            said = f"{refused.file}: {refused.message}"
            self._write(source, self._after(source, at, refused.code or "", said, refused.remedy))

    def failed(self, source: str, at: datetime, error: PlatformError) -> None:
        self._write(source, self._after(source, at, error.code, error.message, error.remedy))

    def _after(self, source: str, at: datetime, code: str, message: str, remedy: str) -> Attempt:
        before = self.last(source)
        return Attempt(
            at=at, failures=(before.failures if before else 0) + 1, code=code, message=message, remedy=remedy
        )

    def _write(self, source: str, attempt: Attempt) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        told = asdict(attempt) | {"at": attempt.at.isoformat()}
        write_whole(self.folder / f"{source}.json", json.dumps(told).encode())
