"""The words of the readable document, by language. Every key stands in both."""

from collections.abc import Mapping
from typing import Final

from control.agreements import AgreementType, State, Step
from control.documents.values import Language

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.DANISH: {
        "title": "Serviceaftale",
        "preamble": "Kommunen giver leverandørens system adgang til de services, der står her, på kommunens vegne og "
        "efter kommunens instruks. Det, der står her, er det, som platformen håndhæver.",
        "parties": "Parter",
        "municipality": "Kommune (dataansvarlig)",
        "supplier": "Leverandør",
        "system": "Anvendersystem",
        "code": "kommunekode",
        "number": "Aftalens nummer",
        "name": "Navn",
        "valid": "Gælder",
        "from": "fra",
        "to": "til",
        "no_end": "uden slutdato",
        "replaces": "Afløser aftale",
        "about": "Formål og hjemmel",
        "purpose": "Formål",
        "legal_basis": "Hjemmel",
        "reason": "Begrundelse",
        "type": "Videregivelse af data",
        "receivers": "Modtagere",
        "purposes": "Formål med hver sin kvote",
        "per_day": "kald om dagen",
        "per_month": "kald om måneden",
        "no_quota": "ingen særlig kvote",
        "services": "Services",
        "version": "version",
        "columns": "Felter",
        "all_columns": "alle felter",
        "rows": "Rækker",
        "all_rows": "alle rækker",
        "only": "kun, hvor",
        "is": "er",
        "or": "eller",
        "own": "kommunens egen",
        "protected": "Navne- og adressebeskyttede personer",
        "protected_yes": "navn og adresse vises",
        "protected_no": "navn og adresse vises ikke",
        "limits": "Grænser",
        "keys_per_call": "opslag i ét kald",
        "per_minute": "kald i minuttet",
        "none": "ingen",
        "history": "Forløb, da denne udskrift blev lavet",
        "step": "Trin",
        "when": "Tid (UTC)",
        "who": "Hvem",
        "state": "Status",
        "machine": "Aftalen, som maskinen læser den",
        "proof": "Aftalens fingeraftryk (SHA-256) er fingeraftrykket af teksten herunder. Det samme fingeraftryk står "
        "i hver linje af platformens log, som aftalen har båret.",
        "made": "Udskrevet",
    },
    Language.ENGLISH: {
        "title": "Service agreement",
        "preamble": "The municipality gives the supplier's system access to the services named here, on the "
        "municipality's behalf and by its instruction. What stands here is what the platform enforces.",
        "parties": "Parties",
        "municipality": "Municipality (data controller)",
        "supplier": "Supplier",
        "system": "Consumer system",
        "code": "municipality code",
        "number": "Number of the agreement",
        "name": "Name",
        "valid": "In force",
        "from": "from",
        "to": "until",
        "no_end": "without an end",
        "replaces": "Replaces agreement",
        "about": "Purpose and legal basis",
        "purpose": "Purpose",
        "legal_basis": "Legal basis",
        "reason": "Reason",
        "type": "Passing data on",
        "receivers": "Receivers",
        "purposes": "Purposes, each with its quota",
        "per_day": "calls a day",
        "per_month": "calls a month",
        "no_quota": "no quota of its own",
        "services": "Services",
        "version": "version",
        "columns": "Fields",
        "all_columns": "all fields",
        "rows": "Rows",
        "all_rows": "all rows",
        "only": "only where",
        "is": "is",
        "or": "or",
        "own": "the municipality's own",
        "protected": "Persons with name and address protection",
        "protected_yes": "name and address are shown",
        "protected_no": "name and address are not shown",
        "limits": "Limits",
        "keys_per_call": "keys in one call",
        "per_minute": "calls a minute",
        "none": "none",
        "history": "History, when this copy was made",
        "step": "Step",
        "when": "Time (UTC)",
        "who": "Who",
        "state": "State",
        "machine": "The agreement as the machine reads it",
        "proof": "The agreement's fingerprint (SHA-256) is that of the text below. The same fingerprint stands in each "
        "line of the platform's ledger that the agreement has carried.",
        "made": "Copy made",
    },
}

TYPES: Final[Mapping[Language, Mapping[AgreementType, str]]] = {
    Language.DANISH: {
        AgreementType.OWN_USE: "Uden videregivelse af data",
        AgreementType.SEVERAL_RECEIVERS: "Med videregivelse af data til flere modtagere",
        AgreementType.SEVERAL_OWNERS: "Med videregivelse af data fra flere dataejere",
        AgreementType.ONE_TO_ONE: "Med videregivelse af data fra én dataejer til én modtager",
    },
    Language.ENGLISH: {
        AgreementType.OWN_USE: "No data is passed on",
        AgreementType.SEVERAL_RECEIVERS: "Data is passed on to several receivers",
        AgreementType.SEVERAL_OWNERS: "Data of several owners is passed on",
        AgreementType.ONE_TO_ONE: "Data of one owner is passed on to one receiver",
    },
}

_STEPS_DA: Final = {
    Step.DRAFT: "kladde", Step.REQUEST: "anmodet", Step.WITHDRAW: "trukket tilbage", Step.APPROVE: "godkendt",
    Step.REJECT: "afvist", Step.SUSPEND: "suspenderet", Step.RESUME: "genoptaget", Step.REPLACE: "afløst",
    Step.TERMINATE: "opsagt",
}  # fmt: skip
_STATES_DA: Final = {
    State.DRAFT: "kladde", State.REQUESTED: "afventer godkendelse", State.APPROVED: "godkendt",
    State.REJECTED: "afvist", State.WITHDRAWN: "trukket tilbage", State.SUSPENDED: "suspenderet",
    State.TERMINATED: "opsagt", State.EXPIRED: "udløbet",
}  # fmt: skip
STEPS: Final[Mapping[Language, Mapping[Step, str]]] = {
    Language.DANISH: _STEPS_DA,
    Language.ENGLISH: {each: each.value for each in Step},
}
STATES: Final[Mapping[Language, Mapping[State, str]]] = {
    Language.DANISH: _STATES_DA,
    Language.ENGLISH: {each: each.value for each in State},
}
