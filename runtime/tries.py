"""The try-this list of the demo: commands that can be pasted as they are, and what must hold when they run.

The list that a newcomer reads and the list that `knudepunkt demo --check` runs are this one value, so that what is
promised on the screen is what is tested.
"""

import csv
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.client import Profile
from runtime.live_tries import live_tries
from runtime.outcome import Outcome, Try
from runtime.processes import Addresses

OPERATORS_PROFILE = "operator"
"""The profile, beside that of the demo's consumer system, with which the platform is watched."""
CONTROLLERS_PROFILE = "dina"
"""The profile of the demo's data controller, a person."""
SQL = "select kind, channel, service, status, count(*) as calls, sum(rows) as rows from calls group by all order by all"


@dataclass(frozen=True, slots=True)
class Ran:
    title: str
    fault: str | None
    seconds: float
    output: str


def tries(
    profile: Profile,
    addresses: Addresses,
    *,
    municipality_cvr: str,
    persons: int,
    program: str,
    instance: Path,
) -> tuple[Try, ...]:
    """The list for one client profile.

    persons    how many rows the extract must have
    program    the `knudepunkt` command as it can be pasted here
    instance   the instance as it can be named here
    """
    url = f"https://localhost:{addresses.api[1]}/v1/services"
    files = {
        name: shlex.quote(str(path))
        for name, path in {
            "ca": profile.authority, "cert": profile.certificate, "key": profile.key,
            "person": profile.folder / "person.json", "ssh": profile.folder / "ssh_config",
        }.items()
    }  # fmt: skip
    with_certificate = "curl -sS --cacert {ca} --cert {cert} --key {key}".format(**files)
    watcher = profile.folder.parent / OPERATORS_PROFILE
    cert, key = (shlex.quote(str(watcher / path.name)) for path in (profile.certificate, profile.key))
    as_operator = f"curl -sS --cacert {files['ca']} --cert {cert} --key {key}"
    person = profile.folder.parent / CONTROLLERS_PROFILE
    cert, key = (shlex.quote(str(person / path.name)) for path in (profile.certificate, profile.key))
    as_controller = f"curl -sS --cacert {files['ca']} --cert {cert} --key {key}"
    body = "-H 'Content-Type: application/json' --data @{person}".format(**files)
    where = "" if instance == Path("instance") else f" --instance {shlex.quote(str(instance))}"
    shelf = f"/{municipality_cvr}/cpr-persons-extract"
    return (
        Try(
            "Look a person up (REST over mutual TLS)",
            f"{with_certificate} {body} {url}/cpr-persons/lookup",
            _is_the_person(profile.folder / "person.json"),
        ),
        Try(
            "Fetch the whole register as CSV (HTTPS)",
            f"{with_certificate} -o persons.csv '{url}/cpr-persons-extract/extract?format=csv'",
            _has_persons("persons.csv", persons),
        ),
        Try(
            "Fetch the same extract over SFTP, and compare",
            f"sftp -q -F {files['ssh']} 'knudepunkt:{shelf}/*.csv' persons-sftp.csv"
            " && cmp persons.csv persons-sftp.csv",
            _has_persons("persons-sftp.csv", persons),
        ),
        *live_tries(profile, with_certificate, url),
        Try(
            "Ask with SQL what these calls were",
            f'{program} sql "{SQL}"{where}',
            _counts_the_calls,
        ),
        Try(
            "See how the mirror is, as its operator",
            f"{as_operator} {url.removesuffix('/services')}/operations/status",
            _tells_how_the_mirror_is,
        ),
        Try(
            "Ask who you are here, which agreements you have, and what is left",
            f"{with_certificate} {url.removesuffix('/services')}/me",
            _tells_who_calls,
        ),
        Try(
            "Read the inbox as the municipality's data controller (a person's certificate, not a system's)",
            f"{as_controller} {url.removesuffix('/services')}/admin/inbox",
            _tells_of_the_agreement,
        ),
        Try(
            "Call without a certificate: refused, with the reason",
            f"curl -sS --cacert {files['ca']} {body} {url}/cpr-persons/lookup",
            _is_refused,
        ),
    )


def run_all(listed: tuple[Try, ...], folder: Path) -> Iterator[Ran]:
    """Run each command in a shell, in `folder`, one after the other."""
    for item in listed:
        began = time.monotonic()
        # The commands are pasted into a shell by people, so a shell is what runs them here.
        done = subprocess.run(
            ["/bin/sh", "-c", item.command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr, folder)
        fault = f"exit code {done.returncode}: {done.stderr.strip()}" if done.returncode else item.holds(outcome)
        yield Ran(item.title, fault, time.monotonic() - began, done.stdout)


def _is_the_person(body: Path) -> Callable[[Outcome], str | None]:
    def holds(outcome: Outcome) -> str | None:
        try:
            record = json.loads(outcome.out)["record"]
        except (ValueError, KeyError):
            return "the answer is not a record"
        if record["pnr"] != json.loads(body.read_text())["key"]:
            return "the answer is about somebody else"
        return None if record["name"] and record["address_text"] else "the person has no name or no address"

    return holds


def _has_persons(name: str, persons: int) -> Callable[[Outcome], str | None]:
    def holds(outcome: Outcome) -> str | None:
        with (outcome.folder / name).open(encoding="utf-8", newline="") as file:
            rows = sum(1 for _ in csv.DictReader(file))
        return None if rows == persons else f"{rows} rows, and the register has {persons}"

    return holds


def _counts_the_calls(outcome: Outcome) -> str | None:
    missing = [word for word in ("rest", "sftp", "answered", "delivered") if word not in outcome.out]
    return f"the answer does not speak of {', '.join(missing)}" if missing else None


def _tells_how_the_mirror_is(outcome: Outcome) -> str | None:
    try:
        datasets = {each["dataset"]: each for each in json.loads(outcome.out)["datasets"]}
    except (ValueError, KeyError):
        return "the answer does not tell of datasets"
    trouble = [each["trouble"] for each in datasets.values() if each["trouble"]]
    if trouble:
        return f"a source is in trouble: {trouble[0]}"
    return None if datasets["cpr.persons"]["rows"] else "the mirror is empty"


def _tells_who_calls(outcome: Outcome) -> str | None:
    try:
        told = json.loads(outcome.out)
        known = told["as"] == "system" and told["agreements"][0]["services"]
    except (ValueError, LookupError):
        known = False
    return None if known else "the answer does not tell of the system and its agreements"


def _tells_of_the_agreement(outcome: Outcome) -> str | None:
    try:
        subjects = [each["subject"] for each in json.loads(outcome.out)["items"]]
    except (ValueError, LookupError):
        return "the answer is no inbox"
    return None if any("agreement" in each for each in subjects) else "nothing in the inbox tells of the agreement"


def _is_refused(outcome: Outcome) -> str | None:
    try:
        problem = json.loads(outcome.out)
    except ValueError:
        return "the answer is not a problem document"
    if (problem.get("status"), problem.get("code")) != (401, "certificate_missing"):
        return f"refused as {problem.get('status')} {problem.get('code')}, not as 401 certificate_missing"
    return None if problem.get("remedy") else "the refusal does not say what to do"
