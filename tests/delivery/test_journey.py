"""Subscriptions from the command line to receivers that are really there, over a real mirror."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from control import Agreements, Step
from extract.delivery.outbox_tables import DELIVERIES, text_of
from runtime.cli import app
from runtime.delivering import Delivering
from runtime.delivery_jobs import raise_alarms
from runtime.demo import Stage
from runtime.environment import settings_of
from runtime.migrated import open_control
from runtime.settings import Settings
from runtime.wiring import open_house
from schemas import SHIPPED, load_registers
from tests.delivery.receivers import Endpoint, Sshd, https, openssh
from tests.journeys.platform import knudepunkt, make_stage
from tests.sync.connectors.authority import new_authority


@dataclass
class Town:
    stage: Stage
    sshd: Sshd
    endpoint: Endpoint

    @property
    def root(self) -> Path:
        return self.stage.instance.root

    def run(self, *words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"], env={"KNUDEPUNKT_INSTANCE": str(self.root)})
        assert done.exit_code == code, (done.output, done.exception)
        return json.loads(done.output) if code == 0 else done.exception

    def send(self) -> Any:
        """In a process of its own, as the worker's is: it writes a log."""
        return json.loads(knudepunkt("delivery", "send", "--json", instance=self.root).stdout)

    def subscribe(self, *words: str, kind: str = "changes") -> str:
        told = self.run(
            "subscription", "add", "municipalities-extract", "--agreement", self.stage.agreement, "--kind", kind, *words
        )
        return str(told["id"])

    def publish(self, name: str, text: str) -> None:
        (self.root / "inbox" / "municipality" / name).write_text(text, encoding="utf-8")
        (report,) = self.run("sync", "municipalities", "--accept")
        assert report["outcome"] == "published"

    def step(self, step: Step) -> None:
        with open_control(self.stage.instance, settings_of(self.stage.instance)) as control:
            registers = load_registers(SHIPPED, self.stage.instance.registers)
            Agreements(control, registers).step(self.stage.agreement, step)

    @property
    def delivered(self) -> str:
        """What the register delivered first."""
        return self.first_file.read_text(encoding="utf-8")

    @property
    def first_file(self) -> Path:
        return min((self.root / "inbox" / "municipality").iterdir())


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    stage = make_stage(tmp_path / "instance", persons=20)
    for folder in ("ssh", "tls"):
        (tmp_path / folder).mkdir()
    authority = new_authority(tmp_path / "tls")
    with stage.instance.settings_file.open("a") as settings:
        settings.write(
            '\n[delivery]\nallow_networks = ["127.0.0.0/8", "::1/128"]\nfirst_wait_s = 0.01\nlease_s = 5.0\n'
        )
    (stage.instance.root / "peers").mkdir()
    shutil.copy(authority.certificate, stage.instance.root / "peers" / "authority.pem")
    client = authority.client.read_text()
    (stage.instance.secrets / "platform.pem").write_text(client)
    (stage.instance.secrets / "platform.key").write_text(client)
    with ExitStack() as stack:
        sshd = stack.enter_context(openssh(tmp_path / "ssh"))
        yield Town(stage, sshd, stack.enter_context(https(authority)))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.slow
def test_changes_are_pushed_over_sftp_and_https_and_lie_on_the_shelf(town: Town) -> None:
    public = town.run("subscription", "key")["key"]
    (town.sshd.key_file.with_suffix(".pub")).write_text(public + "\n")
    target = f"sftp://{town.sshd.target().user}@127.0.0.1:{town.sshd.port}/{town.sshd.inbox}"
    by_sftp = town.subscribe("--to", target, "--host-key", town.sshd.host_key, "--name", "M{number}.csv")
    by_https = town.subscribe("--to", town.endpoint.url)
    on_shelf = town.subscribe()
    in_inbox = town.subscribe("--to", "inbox", kind="full")
    first = town.send()
    assert {each["state"] for each in first} == {"sent", "received"}
    assert {each["why_full"] for each in first} == {"the first delivery", None}
    full = (town.sshd.inbox / "M000001.csv").read_bytes()
    assert len(rows_of(full.decode())) == 98
    assert town.endpoint.got[0][1] == full

    lines = town.delivered.splitlines(keepends=True)
    changed = lines[1].replace(lines[1].split(",")[1], "Fiktivby", 1)
    town.publish("z.csv", "".join([lines[0], changed, *lines[3:]]))
    town.send()
    name = "M000002.csv"
    assert town.sshd.names() == sorted(
        each + more
        for each in ("M000001.csv", name)
        for more in ("", ".manifest.json", ".manifest.json.sig", ".trigger")
    )
    delta = (town.sshd.inbox / name).read_bytes()
    manifest = json.loads((town.sshd.inbox / f"{name}.manifest.json").read_bytes())
    assert (manifest["file"], manifest["rows"], manifest["kind"]) == (name, 2, "delta")
    before = (town.sshd.inbox / "M000001.csv.manifest.json").read_bytes()
    assert (manifest["number"], manifest["previous"]) == (2, hashlib.sha256(before).hexdigest())
    assert manifest["sha256"] == hashlib.sha256(delta).hexdigest()
    assert sorted(each["_operation"] for each in rows_of(delta.decode())) == ["delete", "update"]
    assert town.endpoint.got[1][1] == delta
    states = {
        each["subscription"]: each["state"] for each in reversed(town.run("delivery", "list")) if each["number"] == 2
    }
    assert states == {by_sftp: "sent", by_https: "received", on_shelf: "sent", in_inbox: "sent"}
    shelf = town.root / "extracts" / "agreements" / town.stage.agreement / "municipalities-extract"
    newest = town.run("delivery", "list", "--subscription", on_shelf)[0]
    # Nobody had fetched the first one: this one holds it too.
    assert newest["rows"] == 97
    assert (shelf / newest["file"]).exists()
    # What the shelf and the inbox hold is counted when it is fetched.
    calls = town.run("sql", "select sum(rows) as rows from calls where channel = 'push'")
    assert calls == [{"rows": 200}]


@pytest.mark.slow
def test_a_suspended_agreement_lets_nothing_out_and_a_bad_night_costs_nothing(town: Town) -> None:
    subscription = town.subscribe("--to", town.endpoint.url)
    town.send()
    assert len(town.endpoint.got) == 1
    town.step(Step.SUSPEND)
    lines = town.delivered.splitlines(keepends=True)
    town.publish("z.csv", "".join(lines[:-1]))
    town.send()
    (newest, _) = town.run("delivery", "list", "--subscription", subscription)
    assert (newest["state"], newest["fault_code"]) == ("withheld", "agreement_not_live")
    assert len(town.endpoint.got) == 1
    assert any("withheld" in each["subject"] for each in town.run("notice", "list"))
    assert [subject for subject in _alarmed(town) if subject == "A delivery waits"] == ["A delivery waits"]
    town.step(Step.RESUME)
    town.endpoint.answers = [503]
    town.run("delivery", "retry", newest["id"])
    for _ in range(10):
        town.send()
        if town.run("delivery", "list")[0]["state"] == "received":
            break
    got = [(headers["webhook-id"], len(body)) for headers, body in town.endpoint.got[1:]]
    assert len(got) == 2, "once in vain"
    assert len(set(got)) == 1, "each time the same"
    shown = town.run("delivery", "show", newest["id"])
    assert [each["step"] for each in shown["steps"]][-2:] == ["arrive", "confirm"]


def _alarmed(town: Town) -> list[str]:
    """Subjects of the notices after the alarms were raised, a day later; each heard at the operator's address too."""
    settings = replace_delivery(settings_of(town.stage.instance), alarm_url=town.endpoint.url)
    with open_house(town.stage.instance, settings, "worker") as house:
        delivering = Delivering(house)
        with delivering.database.writing() as db:
            db.execute(update(DELIVERIES).values(planned=text_of(datetime.now(UTC) - timedelta(days=2))))
        raise_alarms(delivering)
        raise_alarms(delivering)
    headers, body = town.endpoint.got.pop()
    event = json.loads(body)
    assert (event["type"], headers["Content-Type"]) == ("dk.knudepunkt.delivery.waits", "application/cloudevents+json")
    return [each["subject"] for each in town.run("notice", "list")]


def replace_delivery(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update={"delivery": replace(settings.delivery, **more)})


def test_what_cannot_be_subscribed_to_is_told(town: Town) -> None:
    for words, code in (
        (("--to", "https://192.0.2.1/in"), "target_refused"),
        (("--where", "nothing=1"), "subscription_invalid"),
        (("--schedule", "sometimes"), "subscription_invalid"),
        (("--name", "../../etc/{number}"), "subscription_invalid"),
        (("--columns", "nothing"), "column_unknown"),
        (("--columns", "name"), "subscription_invalid"),
    ):
        error = town.run(
            "subscription", "add", "municipalities-extract", "--agreement", town.stage.agreement, *words, code=1
        )
        assert error.code == code, error
    assert town.run("subscription", "list") == []
