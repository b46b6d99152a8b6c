"""An instance with one agreement on one register, and what that register holds: known beforehand, not read back."""

import random
import ssl
from contextlib import ExitStack
from pathlib import Path

from control import Agreements, OrganisationKind, ServiceTerms, Terms, TestAuthority
from extract import ExtractSettings
from kernel import DatasetId, Limits, ServiceName, SnapshotId, Window
from replica import Lake, Mode, ReplicaSettings, refresh_segments
from runtime.clock import CLOCK
from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.migrated import open_control
from runtime.tidying import tidy_extracts
from schemas import SHIPPED, load_registers
from tests.replica.builders import a_delivery
from usage import ask, verify

SERVICE = "municipalities-extract"
Row = tuple[str, str]
"""Name and population, as texts."""
Rows = dict[str, Row]


class Town:
    """states   what the register holds, by snapshot"""

    def __init__(self, root: Path, seed: int, rows: int, stack: ExitStack) -> None:
        self.chance = random.Random(f"town {seed}")
        self.states: dict[int, Rows] = {}
        self._keys = [f"{number:06d}" for number in range(rows)]
        self.instance = found_instance(root, environment="test", api_port=0, sftp_port=0)
        self._settings = settings_of(self.instance)
        registers = load_registers(SHIPPED, self.instance.registers)
        self._dataset = registers.dataset(DatasetId("municipality.municipalities"))
        self.context = self._cast()
        self._lake = stack.enter_context(Lake.open(self.instance.lake, self._settings.replica, write=True))
        self._lake.prepare(self._dataset)
        self._now: Rows = {}
        self.publish()

    def publish(self) -> None:
        """The register's next state: the whole of it, or a tenth changed and some gone."""
        chance, step = self.chance, len(self.states)
        if not self._now or chance.random() < 0.2:
            mode, gone = Mode.FULL, []
            rows = {key: self._row(key, step) for key in self._keys if chance.random() < 0.95}
            after = rows
        else:
            mode = Mode.DELTA
            rows = {key: self._row(key, step) for key in chance.sample(self._keys, len(self._keys) // 10)}
            gone = [key for key in chance.sample(self._keys, len(self._keys) // 50) if key not in rows]
            after = {key: row for key, row in (self._now | rows).items() if key not in gone}
        told = [{"code": key, "name": name, "population": int(many)} for key, (name, many) in rows.items()]
        delivery = a_delivery(told, mode, deletes=gone or None, dataset=self._dataset, content_sha256=f"{step:064d}")
        snapshot: SnapshotId = self._lake.publish(self._dataset, delivery).snapshot
        refresh_segments(self._lake, self._dataset, self.instance.segments, ReplicaSettings())
        self._now = self.states[int(snapshot)] = after

    def tidy(self, *, keep: bool) -> None:
        """As the worker does every hour; of finished files nothing is kept beyond the shelves, or not even those."""
        rules = ExtractSettings() if keep else ExtractSettings(keep_hours=0, shelf_days=0)
        tidy_extracts(self.instance, self._settings.model_copy(update={"extracts": rules}))

    def leftovers(self) -> list[str]:
        """What lies below the folder of extracts, but for what a shelf goes on from, and extracts that were asked for
        and whose time is not over.
        """
        extracts, on = self.instance.extracts, {".chain", ".lock", "SHA256SUMS"}
        waiting = set((extracts / "jobs").glob("[!.]*.json"))
        found = [path for path in extracts.rglob("*") if path.is_file() and path.name not in on]
        return sorted(str(path.relative_to(extracts)) for path in found if path not in waiting)

    def calls(self) -> list[dict[str, object]]:
        """Every event on record. Raises AssertionError when the ledger is not whole."""
        assert not verify(self.instance.ledger, self.instance.usage), "the ledger is not whole"
        columns = ("event", "kind", "trace", "status", "size_bytes", "whole")
        asked = f"select {', '.join(columns)} from calls"
        answer = ask(self.instance.ledger, self.instance.usage, asked, max_rows=10**7)
        assert not answer.truncated
        found: list[dict[str, object]] = answer.table.to_pylist()
        return found

    def _row(self, key: str, step: int) -> Row:
        # Long enough that a file takes its time; a comma, quotes and an ampersand for the formats.
        return f'Sø & "{key}", {random.Random(f"{key} {step}").randbytes(40).hex()}', str(step * 1_000 + int(key) % 997)

    def _cast(self) -> ssl.SSLContext:
        """A municipality, a supplier with a system, their agreement; gives how the system calls."""
        authority = TestAuthority.open_or_create(self.instance.authority)
        with open_control(self.instance, self._settings) as control:
            town = control.add_organisation(OrganisationKind.MUNICIPALITY, "11111111", "Korsbæk Kommune")
            supplier = control.add_organisation(OrganisationKind.SUPPLIER, "12345678", "Fiktive Fagsystemer ApS")
            system = control.add_system(supplier.id, "fetcher", purpose="prøve", contact="nobody@example.invalid")
            issued = authority.issue_system(supplier.cvr, supplier.name, "fetcher")
            control.bind_certificate(system.id, issued.cert_pem, trust=self.instance.trust)
            terms = Terms(
                services={ServiceName(SERVICE): ServiceTerms()}, purpose="prøve", legal_basis="prøve", reason="prøve",
                limits=Limits(),
            )  # fmt: skip
            Agreements(control, None).request(town.id, system.id, terms, Window(CLOCK.now()))
        context = ssl.create_default_context(cadata=authority.ca_pem.decode())
        for name, text in (("cert", issued.cert_pem), ("key", issued.key_pem)):
            (self.instance.clients / name).write_bytes(text)
        context.load_cert_chain(self.instance.clients / "cert", self.instance.clients / "key")
        return context
