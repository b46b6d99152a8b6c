"""The page that an operator's Prometheus reads: its names, its parts, and the rules that go with it."""

import json
import os
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from prometheus_client import Metric
from typer.testing import CliRunner

from api.rest.operations import METRICS
from control import TestAuthority, Trust, read_lists
from extract import AlarmKind, DeliveryFigures, State, Waiting, made_now
from extract.delivery.subscription import Standing
from extract.place import Place
from kernel import DatasetId, Floor, ServiceName, Volume
from runtime.attempts import Attempt
from runtime.beats import Beats
from runtime.cli import app
from runtime.environment import found_environment
from runtime.instance import SETTINGS_FILE, Instance
from runtime.metrics import page, parts
from runtime.metrics.families import FAMILIES
from runtime.metrics.page import MetricsBusy, MetricsPage, gauge
from runtime.migrations import upgrade
from runtime.scheduler import Job, work
from runtime.status import DatasetStatus
from tests.extract.builders import plan
from tests.prometheus import families
from usage import Backlog

OPERATING = Path(__file__).parents[2] / "docs" / "operating"
NOW = datetime(2031, 3, 10, 6, 0, tzinfo=UTC)
PERSONS = ServiceName("cpr-persons-extract")


def status(**values: Any) -> DatasetStatus:
    told: dict[str, Any] = {
        "dataset": DatasetId("cpr.persons"), "source": "cpr-persons", "rows": 9, "snapshot": 7, "as_of": NOW,
        "age_s": 60, "target_s": 3600, "fresh": True, "last_run": None, "quarantined_rows": 2, "trouble": "",
        "missing_since": None, "next_run": None,
    }  # fmt: skip
    return DatasetStatus(**(told | values))


def figures() -> DeliveryFigures:
    return DeliveryFigures(
        deliveries={(PERSONS, State.SENT): 3},
        alarms={(PERSONS, AlarmKind.UNFETCHED): 1},
        oldest_s={(PERSONS, Waiting.RECEIPT): 90_000.0},
        subscriptions={(PERSONS, Standing.ACTIVE): 2},
        failing=2,
        resting=1,
    )


def values(families: Iterator[Metric]) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name.removeprefix("knudepunkt_"): {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
        for family in families
    }


class TestTheParts:
    def test_tell_how_old_a_dataset_is_and_what_its_source_does(self) -> None:
        late = status(missing_since=NOW - timedelta(hours=1))
        told = values(parts.of_datasets([late])) | values(
            parts.of_sources([late], {"cpr-persons": Attempt(at=NOW, failures=4, code="source_unreachable")}, NOW)
        )
        assert told["dataset_age_seconds"] == {("cpr.persons",): 60}
        assert told["dataset_target_age_seconds"] == {("cpr.persons",): 3600}
        assert (told["source_failures"], told["source_late_seconds"]) == (
            {("cpr-persons",): 4}, {("cpr-persons",): 3600},
        )  # fmt: skip
        assert told["source_last_try_timestamp_seconds"] == {("cpr-persons",): NOW.timestamp()}
        assert told["source_last_run_timestamp_seconds"] == {}

    def test_leave_out_what_is_not_known(self) -> None:
        new = status(rows=0, snapshot=None, as_of=None, age_s=None, target_s=None, fresh=None)
        told = values(parts.of_datasets([new])) | values(parts.of_sources([new], {"cpr-persons": None}, NOW))
        assert told["dataset_rows"] == {("cpr.persons",): 0}
        assert told["dataset_age_seconds"] == told["dataset_snapshot"] == told["dataset_target_age_seconds"] == {}
        assert told["source_failures"] == {("cpr-persons",): 0}

    def test_tell_of_alarms_that_are_not_there_that_there_are_none(self) -> None:
        told = values(parts.of_deliveries(figures()))["delivery_alarms"]
        assert told == {(PERSONS, kind): float(kind is AlarmKind.UNFETCHED) for kind in AlarmKind}

    def test_tell_how_long_certificates_and_lists_are_good(self, tmp_path: Path) -> None:
        authority = TestAuthority.open_or_create(tmp_path / "authority")
        cas = x509.load_pem_x509_certificates(authority.ca_pem)
        server = x509.load_pem_x509_certificate(authority.issue_server(["localhost"]).cert_pem)
        lists = read_lists("a.crl", authority.revocation_list([], issued=NOW, days=1), cas)
        told = values(parts.of_certificates(server, Trust.of(cas, lists), 2, NOW))
        assert told["server_certificate_left_seconds"] == {(): (server.not_valid_after_utc - NOW).total_seconds()}
        assert set(told["authority_left_seconds"]) == {(each.subject.rfc4514_string(),) for each in cas}
        assert told["revocation_list_left_seconds"] == {("a.crl", lists[0].issuer): 86_400}
        assert told["revocation_lists_ignored"] == {(): 1}

    def test_tell_how_full_disks_are_and_where_the_floor_lies(self) -> None:
        volumes = {place: Volume(size_bytes=1_000, free_bytes=300) for place in ("extracts", "exchange", "ledger")}
        told = values(parts.of_disks(volumes, Floor(free_bytes=50, share=0.1)))
        assert told["disk_free_bytes"]["ledger",] == 300
        assert told["disk_size_bytes"]["extracts",] == 1_000
        assert told["disk_floor_bytes"] == {("extracts",): 100, ("exchange",): 100}

    def test_tell_when_jobs_last_ended_and_which_fail(self, tmp_path: Path) -> None:
        beats, stop, turns = Beats(tmp_path / "jobs"), threading.Event(), []

        def mail() -> None:
            turns.append(1)
            if len(turns) == 1:
                raise MetricsBusy("the mail server is away", remedy="wait")
            stop.set()

        def broken() -> None:
            raise OSError("a fault of ours")

        assert values(parts.of_jobs(beats.last(), NOW)) == {"job_age_seconds": {}, "job_failing": {}}
        beats.ended("tidy", failed=True)
        work((Job(name="mail", every_s=0.05, run=mail), Job(name="fold", every_s=3600, run=broken)), stop, beats)
        assert {job: beat.failed for job, beat in beats.last().items()} == {"mail": False, "fold": True, "tidy": True}
        ended = beats.last()["tidy"].ended
        told = values(parts.of_jobs(beats.last(), ended + timedelta(seconds=90)))
        assert told["job_age_seconds"]["tidy",] == 90
        assert told["job_failing"] == {("fold",): 1, ("mail",): 0, ("tidy",): 1}

    def test_count_what_is_written_now_and_not_what_a_crash_left(self, tmp_path: Path) -> None:
        place = Place(tmp_path, plan())
        handle = place.new_part()
        (tmp_path / ".left.part").touch()
        try:
            assert made_now(tmp_path) == 1
        finally:
            os.close(handle)
        assert made_now(tmp_path) == 0


def everything() -> MetricsPage:
    backlog = Backlog(open=1, sealed=2, sealed_bytes=900, faulty=0, waited_s=12.5)

    def mirror() -> Iterator[Metric]:
        yield from parts.of_datasets([status()])
        yield from parts.of_sources([status()], {"cpr-persons": None}, NOW)

    return MetricsPage(
        {
            "build": lambda: parts.of_build("0.1.0", "test"),
            "mirror": mirror,
            "deliveries": lambda: parts.of_deliveries(figures()),
            "extracts": lambda: parts.of_extracts(1),
            "ledger": lambda: parts.of_ledger(backlog),
        }
    )


class TestThePage:
    def test_is_read_alike_in_both_forms(self) -> None:
        (_, new), (_, old) = everything().write(open_metrics=True), everything().write()
        told, too = (
            {(each.name, *sorted(each.labels.items()), each.value) for found in families(text).values()
             for each in found.samples}
            for text in (new, old)
        )  # fmt: skip
        assert told == too
        assert ("knudepunkt_ledger_intake_lag_seconds", 12.5) in told

    def test_has_units_where_a_name_has_one(self) -> None:
        for family in families(everything().write(open_metrics=True)[1]).values():
            last = family.name.rpartition("_")[2]
            assert family.unit == (last if last in {"seconds", "bytes"} else ""), family.name

    def test_leaves_out_a_part_that_cannot_be_read_and_says_so(self) -> None:
        def broken() -> Iterator[Metric]:
            yield gauge("dataset_rows", {("cpr.persons",): 1})
            raise OSError("the lake is gone")

        read = {"mirror": broken, "extracts": lambda: parts.of_extracts(1)}
        found = {(each["name"], *each["labels"].values()): each["value"] for each in MetricsPage(read).values()}
        assert found == {
            ("knudepunkt_extracts_in_production",): 1, ("knudepunkt_part_readable", "mirror"): 0,
            ("knudepunkt_part_readable", "extracts"): 1,
        }  # fmt: skip

    def test_can_tell_nothing_that_has_no_name_in_the_list(self) -> None:
        with pytest.raises(KeyError):
            gauge("calls_by_person", 1)

    def test_is_worked_out_for_one_reader_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(page, "_PATIENCE_S", 0.0)
        entered, go = threading.Event(), threading.Event()

        def slow() -> Iterator[Metric]:
            entered.set()
            go.wait(60)
            yield from ()

        found = MetricsPage({"slow": slow})
        reader = threading.Thread(target=found.write)
        reader.start()
        entered.wait(60)
        try:
            with pytest.raises(MetricsBusy):
                found.write()
        finally:
            go.set()
            reader.join()
        assert found.write()


class TestWhatComesWithIt:
    def rules(self) -> list[dict[str, Any]]:
        groups = yaml.safe_load((OPERATING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def test_the_rules_ask_for_metrics_and_labels_that_exist(self) -> None:
        known = {each.full_name: set(each.labels) for each in FAMILIES.values()}
        for rule in self.rules():
            asked = set(re.findall(r"knudepunkt_\w+", rule["expr"]))
            assert asked or rule["expr"].startswith("up{"), rule["alert"]
            assert asked <= known.keys(), rule["alert"]
            # What Prometheus itself puts on each series.
            labels = {"instance", "job"}.union(*(known[name] for name in asked))
            text = rule["expr"] + " ".join(rule["annotations"].values())
            used = set(re.findall(r"(\w+)(?:=~?\")", rule["expr"])) | set(re.findall(r"\$labels\.(\w+)", text))
            assert used <= labels, rule["alert"]

    def test_the_rules_name_kinds_that_exist_and_say_what_to_do(self) -> None:
        rules = self.rules()
        named = set()
        for rule in rules:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["remedy"]
            for kinds in re.findall(r'kind=~"([^"]+)"', rule["expr"]):
                named |= set(kinds.split("|"))
        assert named == set(AlarmKind)
        assert len({rule["alert"] for rule in rules}) == len(rules)

    def test_every_verb_that_a_remedy_names_is_there(self) -> None:
        for rule in self.rules():
            for words in re.findall(r"knudepunkt ((?:[a-z]+ ?){1,2})", rule["annotations"]["remedy"]):
                verb = next(
                    (
                        found
                        for found in (words.split(), words.split()[:1])
                        if CliRunner().invoke(app, [*found, "--help"]).exit_code == 0
                    ),
                    None,
                )
                assert verb is not None, words

    def test_the_job_reads_the_path_that_is_there_with_a_certificate(self) -> None:
        told = yaml.safe_load((OPERATING / "prometheus.yml").read_text(encoding="utf-8"))
        (job,) = told["scrape_configs"]
        assert (job["metrics_path"], job["scheme"]) == (METRICS, "https")
        assert {"ca_file", "cert_file", "key_file"} <= job["tls_config"].keys()
        assert "insecure_skip_verify" not in job["tls_config"]
        assert told["rule_files"] == ["alerts.yml"]


class TestTheVerb:
    @pytest.fixture
    def instance(self, tmp_path: Path) -> Instance:
        found = Instance(tmp_path / "instance")
        found.make_folders()
        (found.root / SETTINGS_FILE).write_text('environment = "test"\n')
        found_environment(found)
        upgrade(found.control_url)
        authority = TestAuthority.open_or_create(found.authority)
        (found.trust / "authority.pem").write_bytes(authority.ca_pem)
        found.server_files()[0].write_bytes(authority.issue_server(["localhost"]).cert_pem)
        return found

    def run(self, instance: Instance, *words: str) -> Any:
        return CliRunner().invoke(app, ["metrics", *words], env={"KNUDEPUNKT_INSTANCE": str(instance.root)})

    def test_prints_the_page_of_an_instance_that_does_not_run(self, instance: Instance) -> None:
        told = families(self.run(instance).stdout.encode())
        assert set(told) == {each.full_name for each in FAMILIES.values()}
        assert {each.value for each in told["knudepunkt_part_readable"].samples} == {1}
        assert not told["knudepunkt_dataset_age_seconds"].samples

    def test_writes_a_file_for_others_to_read(self, instance: Instance, tmp_path: Path) -> None:
        out = tmp_path / "knudepunkt.prom"
        assert self.run(instance, "--out", str(out)).exit_code == 0
        assert out.stat().st_mode & 0o777 == 0o644
        assert families(out.read_bytes())
        refused = self.run(instance, "--out", str(tmp_path / "nowhere" / "x.prom"))
        assert (refused.exit_code, "cannot be written" in refused.stderr) == (2, True)

    def test_prints_json_for_scripts_and_leaves_out_what_it_cannot_read(self, instance: Instance) -> None:
        instance.server_files()[0].unlink()
        told = json.loads(self.run(instance, "--json").stdout)
        assert {"name": "knudepunkt_part_readable", "labels": {"part": "certificates"}, "value": 0} in told
        assert {"name": "knudepunkt_part_readable", "labels": {"part": "ledger"}, "value": 1} in told
