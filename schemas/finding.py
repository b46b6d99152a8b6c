"""What is wrong with a register's files, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kernel import OperatorMistake


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """line   1-based; 0 when the fault is of the file as a whole
    where  path inside the document, for instance `schema[0].properties[3].pattern`
    """

    path: Path
    line: int
    where: str
    problem: str
    remedy: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.where}: {self.problem}"


class ContractInvalid(OperatorMistake):
    """Register files that cannot be loaded; `findings` says which and why."""

    code = "contract_invalid"
    title = "A register's files cannot be loaded"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        first = "; ".join(str(finding) for finding in findings[:3])
        more = f" (and {len(findings) - 3} more)" if len(findings) > 3 else ""
        super().__init__(first + more, remedy="`knudepunkt contract check` says how to mend each of them")
