"""Fictitious companies and their production units, as documents of the business register's distribution.

CVR numbers begin with 99 and P-numbers with 99, which the register has not given out, and hold their check digits;
names speak for themselves. The same arguments give the same bytes.
"""

import json
from datetime import date, timedelta
from random import Random
from typing import Any

from sync.testdata.names import ROADS, SURNAMES, TOWNS
from sync.testdata.places import municipalities, road_code

Document = dict[str, Any]

WEIGHTS = (2, 7, 6, 5, 4, 3, 2)
TRADES = (
    ("620100", "Computerprogrammering", "Software"), ("412000", "Opførelse af bygninger", "Byg"),
    ("471110", "Købmænd og døgnkiosker", "Købmandsforretning"), ("561010", "Restauranter", "Spisehus"),
    ("692000", "Bogføring og revision", "Bogføring"), ("869010", "Sundhedspleje", "Klinik"),
    ("813000", "Landskabspleje", "Anlægsgartneri"), ("494100", "Vejgodstransport", "Fragt"),
)  # fmt: skip
FORMS = ((10, "Enkeltmandsvirksomhed", ""), (60, "Aktieselskab", " A/S"), (80, "Anpartsselskab", " ApS"))
INTERVALS = ("ANTAL_0_0", "ANTAL_1_1", "ANTAL_2_4", "ANTAL_5_9", "ANTAL_10_19")
FIRST_DAY = date(1995, 1, 1)


def companies(count: int, seed: int) -> bytes:
    """An answer of the register's search with so many companies."""
    return _answer("Vrvirksomhed", [company for company, _ in _drawn(count, seed)])


def production_units(count: int, seed: int) -> bytes:
    """An answer with the production units of the companies that `companies` gives for the same arguments."""
    return _answer("VrproduktionsEnhed", [unit for _, units in _drawn(count, seed) for unit in units])


def _numbers(count: int) -> list[int]:
    found: list[int] = []
    for body in range(9_900_000, 10_000_000):
        rest = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, str(body), strict=True)) % 11
        if rest != 1:
            found.append(body * 10 + (11 - rest) % 11)
        if len(found) == count:
            return found
    raise ValueError(f"there are fictitious numbers for {len(found):,} companies")


def _drawn(count: int, seed: int) -> list[tuple[Document, list[Document]]]:
    return [
        _company(Random(f"{seed}-{index}"), index, number)  # noqa: S311
        for index, number in enumerate(_numbers(count))
    ]


def _company(random: Random, index: int, number: int) -> tuple[Document, list[Document]]:
    began = FIRST_DAY + timedelta(days=random.randrange(10_000))
    ended = began + timedelta(days=random.randrange(300, 3_000)) if index % 9 == 8 else None
    code, text, word = TRADES[random.randrange(len(TRADES))]
    form, form_text, ending = FORMS[random.randrange(len(FORMS))]
    name = f"{SURNAMES[random.randrange(len(SURNAMES))]} {word}{ending}"
    life = [_period(began, ended)]
    moved = began + timedelta(days=200) if index % 4 == 1 else None
    units = [
        _unit(random, number, 9_900_000_000 + index * 10 + nth, name, began, ended, (code, text))
        for nth in range(1 + (index % 5 == 3) * 2)
    ]
    document = {
        "cvrNummer": number,
        "reklamebeskyttet": index % 3 == 0,
        "navne": _renamed(name, life[0], index),
        "binavne": [{"navn": f"{word} {index}", **life[0]}] if index % 7 == 2 else [],
        "beliggenhedsadresse": _addresses(random, life[0], moved),
        "livsforloeb": life,
        "hovedbranche": [{"branchekode": code, "branchetekst": text, **life[0]}],
        "virksomhedsstatus": [{"status": "OPHØRT" if ended else "NORMAL", **life[0]}],
        "virksomhedsform": [{"virksomhedsformkode": form, "langBeskrivelse": form_text, **life[0]}],
        "maanedsbeskaeftigelse": [
            {"aar": 2026, "maaned": month, "antalAnsatte": None, "intervalKodeAntalAnsatte": INTERVALS[index % 5]}
            for month in (8, 9)
        ],
        "penheder": [{"pNummer": unit["pNummer"], **life[0]} for unit in units],
        "enhedsNummer": 4_990_000_000 + index,
        "sidstOpdateret": "2026-10-30T20:00:00.000+01:00",
    }
    return document, units


def _unit(
    random: Random, cvr: int, number: int, name: str, began: date, ended: date | None, trade: tuple[str, str]
) -> Document:
    period = _period(began, ended)
    return {
        "pNummer": number,
        "reklamebeskyttet": False,
        "navne": [{"navn": name, **period}],
        "beliggenhedsadresse": _addresses(random, period, None),
        "livsforloeb": [period],
        "hovedbranche": [{"branchekode": trade[0], "branchetekst": trade[1], **period}],
        "virksomhedsrelation": [{"cvrNummer": cvr, **period}],
        "enhedsNummer": 4_995_000_000 + number % 1_000_000,
        "sidstOpdateret": "2026-10-30T20:00:00.000+01:00",
    }


def _renamed(name: str, period: Document, index: int) -> list[Document]:
    if index % 6 != 4:
        return [{"navn": name, **period}]
    begun = date.fromisoformat(period["periode"]["gyldigFra"])
    first = _period(begun, begun + timedelta(days=99))
    then = {**period, "periode": {**period["periode"], "gyldigFra": (begun + timedelta(days=100)).isoformat()}}
    return [{"navn": f"{name} under stiftelse", **first}, {"navn": name, **then}]


def _addresses(random: Random, period: Document, moved: date | None) -> list[Document]:
    if moved is None:
        return [{**_address(random), **period}]
    before = {**period, "periode": {**period["periode"], "gyldigTil": (moved - timedelta(days=1)).isoformat()}}
    after = {**period, "periode": {**period["periode"], "gyldigFra": moved.isoformat()}}
    return [{**_address(random), **before}, {**_address(random), **after}]


def _address(random: Random) -> Document:
    place = municipalities()[random.randrange(len(municipalities()))]
    road = random.randrange(len(ROADS))
    return {
        "landekode": "DK",
        "fritekst": None,
        "vejkode": int(road_code(road)),
        "kommune": {"kommuneKode": int(place.code), "kommuneNavn": place.name.upper()},
        "husnummerFra": random.randrange(1, 180),
        "husnummerTil": None,
        "bogstavFra": "B" if random.random() < 0.1 else None,
        "bogstavTil": None,
        "etage": str(random.randrange(1, 5)) if random.random() < 0.5 else None,
        "sidedoer": None,
        "conavn": None,
        "postboks": None,
        "vejnavn": ROADS[road],
        "bynavn": TOWNS[random.randrange(len(TOWNS))] or None,
        "postnummer": int(place.postcode),
        "postdistrikt": place.name,
    }


def _period(since: date, until: date | None) -> Document:
    return {
        "periode": {"gyldigFra": since.isoformat(), "gyldigTil": until.isoformat() if until else None},
        "sidstOpdateret": f"{since.isoformat()}T12:00:00.000+01:00",
    }


def _answer(kind: str, documents: list[Document]) -> bytes:
    hits = [{"_id": str(each["enhedsNummer"]), "_source": {kind: each}} for each in documents]
    return (json.dumps({"hits": {"total": len(hits), "hits": hits}}, ensure_ascii=False, indent=1) + "\n").encode()
