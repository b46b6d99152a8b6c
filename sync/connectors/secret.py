"""A password, token or key of ours: a source file names it, and it stands in a file of the instance's `secrets/`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sync.errors import SourceInvalid

SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""The name of a file below `secrets/`; never the secret itself, and no way out of the folder."""


@dataclass(frozen=True, slots=True)
class Secret:
    """path   of the file; it is read anew for each run, so that a renewed secret needs no restart"""

    path: Path

    @classmethod
    def named(cls, root: Path, name: str) -> "Secret":
        """root: the instance's folder"""
        return cls(root / "secrets" / name)

    def text(self) -> str:
        """The first line. Raises SourceInvalid."""
        lines = self.content().splitlines()
        if not lines or not lines[0].strip():
            raise SourceInvalid(f"the secret {self.path.name} is empty", remedy=f"write it into {self.path}")
        return lines[0].strip()

    def content(self) -> str:
        """The whole file, as keys and certificates need it. Raises SourceInvalid."""
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SourceInvalid(
                f"the secret {self.path.name} cannot be read", remedy=f"write it into {self.path}, as one line of text"
            ) from None
