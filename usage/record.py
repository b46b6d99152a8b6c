"""One ledger file as it is read back: header, events, seal.

    {"seq":1,"kind":"header","format":1,"file":...,"node":...,"role":...,"pid":...,"started":...,
     "previous_file":...,"previous":...,"hash":...}
    {"seq":2,"event":...,"time":...,"kind":"answered",...,"hash":...}
    {"seq":3,"kind":"seal","events":1,"torn_bytes":0,"by":"writer","time":...,"hash":...}

`previous_file` and `previous` (its last hash) are set when the same process wrote a file before this one.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from usage.chain import Broken, Fault, lines
from usage.line import KINDS

FORMAT: Final = 1


@dataclass(slots=True)
class LedgerFile:
    """What `data` holds up to its last whole line, or up to its fault.

    whole_bytes   length of the whole lines; `torn_bytes` come after them (a line whose writing was cut off)
    last          hash of the last whole line; `before_seal` that of the last one that is not a seal
    """

    id: str
    header: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    seal: dict[str, Any] | None = None
    lines: int = 0
    first: str = ""
    last: str = ""
    before_seal: str = ""
    whole_bytes: int = 0
    torn_bytes: int = 0
    fault: Fault | None = None

    @property
    def name(self) -> str:
        return f"{self.id}.jsonl"

    @property
    def cut_off_bytes(self) -> int:
        """Bytes of a torn line that were cut off when the file was sealed for its dead writer."""
        return int(self.seal.get("torn_bytes", 0)) if self.seal else 0


def read_ledger_file(id_: str, data: bytes, *, sealed: bool) -> LedgerFile:
    """Read and check one ledger file. Pure; never raises for what stands in it: see `fault`.

    An unsealed file may end in the middle of a line (its writer was killed there, or is writing it now), or in
    one line that is no JSON (a power cut): those bytes are `torn_bytes`, not a fault. In a sealed file they are.
    """
    file = LedgerFile(id_)
    try:
        for line in lines(data):
            if what := _misplaced(file, line.number, line.value):
                file.fault = Fault(file.name, line.number, what)
                return file
            match line.value["kind"]:
                case "header":
                    file.header, file.first = line.value, line.hash.decode()
                case "seal":
                    file.seal = line.value
                case _:
                    file.events.append(line.value)
            file.lines, file.last, file.whole_bytes = line.number, line.hash.decode(), line.end
            if file.seal is None:
                file.before_seal = file.last
    except Broken as broken:
        torn = broken.last and not broken.is_json and not sealed and broken.line > 1
        if not torn:
            file.fault = Fault(file.name, broken.line, broken.what)
            return file
    file.torn_bytes = len(data) - file.whole_bytes
    if sealed and file.torn_bytes:
        file.fault = Fault(file.name, file.lines + 1, "the last line is not whole")
    elif sealed and file.seal is None:
        file.fault = Fault(file.name, file.lines, "the seal is missing")
    elif file.lines == 0:
        file.fault = Fault(file.name, 1, "the header is missing")
    return file


def _misplaced(file: LedgerFile, number: int, value: dict[str, Any]) -> str | None:
    """What is wrong with a line whose hash is right, if anything is."""
    if value.get("seq") != number:
        return "the sequence number is not the line's"
    if file.seal is not None:
        return "a line stands after the seal"
    kind = value.get("kind")
    if (number == 1) != (kind == "header"):
        return "the header is missing or not the first line"
    if kind == "header":
        if value.get("format") != FORMAT:
            return f"the format is not {FORMAT}"
        return None if value.get("file") == file.id else "the file has the name of another"
    if kind == "seal":
        return None if value.get("events") == len(file.events) else "the seal counts another number of events"
    return None if kind in KINDS else "the kind of line is not known"
