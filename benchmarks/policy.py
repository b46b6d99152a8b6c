"""What does it cost to decide about a call: who is calling, which agreement carries it, and is there room for it?

A real control database with thousands of agreements over 500 systems and 98 municipalities, through its own doors.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import percentile, result
from benchmarks.suspension import felt
from control import (
    HOUSE,
    Agreements,
    Certificate,
    ControlStore,
    Counters,
    Deed,
    Organisation,
    OrganisationKind,
    Party,
    Policy,
    ServiceTerms,
    Step,
    System,
    Terms,
    Verb,
    load_policy,
    purpose_of,
)
from control.agreements import add_agreement, take_step
from control.certificates import bind_certificate
from control.organisations import add_organisation
from control.processing import ProcessingAgreement, add_processing_agreement
from control.systems import add_system
from kernel import (
    AgreementId,
    Call,
    Channel,
    Limits,
    Operation,
    OrganisationId,
    ServiceName,
    SystemClock,
    SystemId,
    Window,
    new_id,
    new_trace_id,
)
from runtime.migrations import upgrade

SYSTEMS, MUNICIPALITIES = 500, 98
SERVICES = ("cpr-persons", "cpr-person-search", "municipalities", "roads", "cvr-companies")
SEED = 20261123
CLOCK = SystemClock()
TURNS = 10
TARGETS = {"policy_us": ("at_most", 15.0), "suspension_felt_ms": ("at_most", 1_000.0)}


def measure(
    agreements: int = 10_000, *, calls: int = 200_000, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The result object. Every agreement covers five services and has a limit per minute and per day."""
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'control.sqlite'}"
        upgrade(url)
        with ControlStore(url, environment="production", clock=CLOCK) as store:
            progress(f"Agreeing {agreements:,} times ...")
            made = found(store, agreements)
            progress("Loading the policy ...")
            began = time.perf_counter()
            with store.reading() as db:
                policy = load_policy(db)
            load_s = time.perf_counter() - began
            reloads = []
            for turn in range(6):
                Agreements(store, None).step(made[0][1], Step.RESUME if turn % 2 else Step.SUSPEND)
                began = time.perf_counter()
                with store.reading() as db:
                    policy = load_policy(db, before=policy)
                reloads.append(time.perf_counter() - began)
            progress(f"Suspending {TURNS} times, seen from other processes ...")
            print_, agreement, _, cvr = made[0]
            delays = felt(store, url, fingerprint=print_, agreement=agreement, cvr=cvr, turns=TURNS)
        with Counters(folder / "rates.bin") as counters:
            progress(f"Deciding about {calls:,} calls ...")
            figures = decided(policy, counters, made, calls)
    figures |= {"load_ms": load_s * 1e3, "reload_ms": statistics.median(reloads) * 1e3}
    # The latest of all: what is promised is promised for every process.
    figures |= {"suspension_felt_ms": max(delays), "suspension_felt_median_ms": statistics.median(delays)}
    return result("policy", agreements, figures, TARGETS)


def found(store: ControlStore, many: int) -> list[tuple[str, AgreementId, SystemId, str]]:
    """A control database full of what is needed; (fingerprint, agreement, system, municipality's CVR) of each."""
    chance, now = random.Random(SEED), CLOCK.now()
    window = Window(now - timedelta(days=1), now + timedelta(days=365))
    terms = Terms(
        services={ServiceName(service): ServiceTerms() for service in SERVICES},
        purpose="To measure.", legal_basis="None, it is fiction.", reason="To measure.",
        limits=Limits(calls_per_minute=1_000_000, calls_per_day=100_000_000),
    )  # fmt: skip
    made: list[tuple[str, AgreementId, SystemId, str]] = []
    # One transaction: what is measured is the policy, and a hundred thousand syncs of the disk take an hour.
    with store.acting(HOUSE).changing(Verb.HOUSE_KEEP, "benchmark") as db:
        supplier, *whose = (
            Organisation(id=OrganisationId(new_id()), kind=kind, cvr=f"{10_000_000 + n}", name=f"Nr. {n}", created=now)
            for n, kind in enumerate([OrganisationKind.SUPPLIER] + [OrganisationKind.MUNICIPALITY] * MUNICIPALITIES)
        )
        for each in (supplier, *whose):
            add_organisation(db, each)
        systems: list[tuple[SystemId, str]] = []
        for number in range(SYSTEMS):
            system, print_ = SystemId(new_id()), f"{chance.getrandbits(256):064x}"
            kept = System(id=system, organisation=supplier.id, name=f"s{number}", purpose="-", contact="-", created=now)
            add_system(db, kept)
            bind_certificate(
                db,
                Certificate(
                    fingerprint=print_, system=system, issuer="x", serial=str(number), subject="x",
                    valid_from=window.start, valid_to=now + timedelta(days=365), bound=now, revoked=None,
                ),
            )  # fmt: skip
            systems.append((system, print_))
        pairs = [(system, each) for system in systems for each in whose]
        for (system, print_), municipality in chance.sample(pairs, many):
            deed = Deed(
                id=AgreementId(new_id()), municipality=Party.of(municipality), supplier=Party.of(supplier),
                system=system, system_name="s", terms=terms, valid=window,
            )  # fmt: skip
            draft = add_agreement(db, deed, by="bench", at=now)
            for step in (Step.REQUEST, Step.APPROVE):
                take_step(db, draft.id, step, by="bench", at=now, note="")
            made.append((print_, draft.id, system, municipality.cvr))
        for each in whose:
            agreed = ProcessingAgreement(
                id=new_id(), municipality=each.id, reference="-", document_sha256="0" * 64, valid=window,
                recorded=now, recorded_by="bench",
            )  # fmt: skip
            add_processing_agreement(db, agreed)
    return made


def decided(
    policy: Policy, counters: Counters, made: list[tuple[str, AgreementId, SystemId, str]], calls: int
) -> dict[str, float]:
    """Microseconds for each of the three decisions about one call, and for all of them together."""
    chance, clock = random.Random(SEED), time.perf_counter
    parts: dict[str, list[float]] = {"identify": [], "grant": [], "limit": [], "policy": []}
    for _ in range(calls):
        print_, _, _, cvr = chance.choice(made)
        at = datetime.now(UTC)
        began = clock()
        caller = policy.identify(print_, at)
        identified = clock()
        call = Call(
            trace=_TRACE, caller=caller, channel=Channel.REST, service=_SERVICE, operation=Operation.LOOKUP,
            received=at, municipality_cvr=cvr,
        )  # fmt: skip
        ready = clock()
        grant = policy.grant(call, at)
        granted = clock()
        counters.admit(grant, purpose_of(grant, None), at)
        done = clock()
        parts["identify"].append(identified - began)
        parts["grant"].append(granted - ready)
        parts["limit"].append(done - granted)
        parts["policy"].append(done - began)
    figures = {}
    for name, values in parts.items():
        values.sort()
        figures[f"{name}_us"] = percentile(values, 0.5) * 1e6
    figures["policy_mean_us"] = statistics.fmean(parts["policy"]) * 1e6
    figures["policy_p99_us"] = percentile(parts["policy"], 0.99) * 1e6
    return figures


_TRACE = new_trace_id()
_SERVICE = ServiceName(SERVICES[0])
