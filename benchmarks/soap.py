"""What does a person cost over SOAP, beside the same person over REST?

`PersonLookup` 5 answers a whole person in the established form: XML in, context to grant, the row and its children's,
XML out, the ledger on. In the same run and in turns: the same persons over REST, whole, and over the generic SOAP face.
CPU time is read from /proc for all threads of the server, as in benchmarks/rest.py.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.rest import Round, Target, Tell, keys_of, median, run, serving
from benchmarks.result import result

ROUNDS: Final = 3
SERVICE: Final = "cpr-person-base-data-extended-5"
TARGETS: Final = {"soap_requests_per_core_second": ("at_least", 1_000.0)}
_CONTEXT: Final = (
    '<a:AuthorityContext xmlns:a="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/">'
    "<a:MunicipalityCVR>{cvr}</a:MunicipalityCVR></a:AuthorityContext>"
)
_PERSON: Final = (
    '<p:PersonLookupRequest xmlns:p="http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/5/">'
    '{context}<n:PNR xmlns:n="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/">{{key}}</n:PNR>'
    "</p:PersonLookupRequest>"
)
_RECORD: Final = (
    '<p:LookupRequest xmlns:p="urn:knudepunkt:cpr-persons:1">{context}<p:key>{{key}}</p:key></p:LookupRequest>'
)
_ENVELOPE: Final = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'
)


def measure(persons: int, *, seconds: float = 5.0, progress: Tell = lambda _: None) -> dict[str, Any]:
    """Found an instance with fictitious persons, run its API alone, and measure it.

    seconds   length of each measured round; there are 3 of each kind
    """
    from runtime.demo import MUNICIPALITY, set_the_stage

    services = ("cpr-persons", SERVICE, "municipalities")
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder, ExitStack() as stack:
        stage = set_the_stage(
            Path(folder) / "instance", persons=persons, seed=20310101, services=services, tell=progress
        )
        instance, profile = stage.instance, stage.profile
        progress("Starting the API")
        arguments = ["-P", "-m", "runtime.cli", "api", "--instance", str(instance.root), "--fd"]
        port, pid = stack.enter_context(serving(arguments))
        context = _CONTEXT.format(cvr=MUNICIPALITY[0])
        person = Target(
            port=port, pids=(pid,), path="/service/CPR/PersonBaseDataExtended/5",
            keys=keys_of(instance.root, "cpr.persons", 2_000), certificate=profile.certificate, key=profile.key,
            authority=profile.authority, envelope=_ENVELOPE.format(body=_PERSON.format(context=context)),
        )  # fmt: skip
        targets = {
            "soap": person,
            "generic_soap": replace(
                person, path="/soap/cpr-persons", envelope=_ENVELOPE.format(body=_RECORD.format(context=context))
            ),
            "rest_whole_person": replace(person, path="/v1/services/cpr-persons/lookup", envelope=""),
        }
        rounds: dict[str, list[Round]] = {name: [] for name in targets}
        for number in range(ROUNDS):
            for name, target in targets.items():
                progress(f"Round {number + 1} of {ROUNDS}: {name}, as fast as it goes")
                rounds[name].append(run(target, seconds=seconds))
    cpu = {name: median(each.cpu_us for each in found) for name, found in rounds.items()}
    figures = {f"{name}_requests_per_core_second": 1e6 / each for name, each in cpu.items()}
    figures |= {f"{name}_server_cpu_us_per_request": each for name, each in cpu.items()}
    figures["soap_to_rest_ratio"] = cpu["soap"] / cpu["rest_whole_person"]
    figures["soap_p50_ms"] = median(each.p50_ms for each in rounds["soap"])
    figures["soap_p99_ms"] = median(each.p99_ms for each in rounds["soap"])
    return result("soap", stage.persons, figures, TARGETS)
