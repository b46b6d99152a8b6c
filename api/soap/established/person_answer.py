"""A person's row as PersonLookup answers it: which field of the answer comes from which of the row. Pure.

What clients read without looking whether it is there is always there, empty where nothing is known or may be seen:
names, current address, relations, citizenship, status, protections. No register here knows who takes Digital Post, and
those two answers are false.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final

from api.soap.established.reference import Words
from sync import civil_status, house_number, presented_municipality

Row = Mapping[str, Any]
Value = dict[str, Any]

COLUMNS: Final = (
    "pnr", "current_pnr", "status", "status_from", "status_uncertain", "gender", "birth_date",
    "birth_date_uncertain", "start_date", "start_date_uncertain", "end_date", "end_date_uncertain",
    "occupation", "municipality_code", "address", "address_text", "protections", "departure",
    "contact_address", "disappearance", "name", "birth_registration", "citizenship", "civil_status",
    "separation", "children", "parents", "custody", "guardianship", "notes", "address_history",
    "shared_residence", "address_uuid",
)  # fmt: skip
NEEDED: Final = frozenset({"children"})
"""Columns that the answer's type cannot be without."""
LIVING_HERE: Final = frozenset({"01", "03", "05", "07"})
_NOBODY: Final = "0000000000"
_PROTECTIONS: Final = (
    ("0001", "adressebeskyttelse"), ("0002", "vejviserbeskyttelse"), ("0003", "markedsfoeringsbeskyttelse"),
)  # fmt: skip


def person_answer(row: Row, minors: int, words: Words, today: date) -> Value:
    """minors   how many children under 18 live, as CPR counts them"""
    return {
        "persondata": _person(row, minors, words, today),
        "adresse": _addresses(row, words),
        "relationer": _relations(row),
        "notater": [
            {
                "notanr": each["number"], "notatlinie": each["text"], "notatstartdato": each["from_date"],
                "notatslettedato": each["delete_date"],
            }
            for each in row.get("notes") or ()
        ],
    }  # fmt: skip


def full_years(born: date | None, today: date) -> int | None:
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def is_minor(child: Row, today: date) -> bool:
    age = full_years(child["birth_date"], today)
    return child["status"] in LIVING_HERE and age is not None and age < 18


def _dated(row: Row, name: str) -> Value | None:
    """A date or time with its mark of uncertainty."""
    when = row.get(name)
    if when is None:
        return None
    uncertain = row.get(f"{name.removesuffix('_from')}_uncertain" if name == "status_from" else f"{name}_uncertain")
    return {"dato": when, "usikkerhedsmarkering": "*" if uncertain else None}


def _person(row: Row, minors: int, words: Words, today: date) -> Value:
    marital, apart = row.get("civil_status") or {}, row.get("separation")
    citizen, born = row.get("citizenship") or {}, row.get("birth_registration")
    gone, shared = row.get("disappearance"), row.get("shared_residence")
    code = civil_status(marital.get("code"))
    return {
        "personnummer": row.get("pnr"),
        "gaeldendePersonnummer": row.get("current_pnr"),
        "navn": _name(row),
        "foedselsdato": _dated(row, "birth_date"),
        "foedselsregistreringsOplysninger": None if born is None else {
            "foedselsregistreringsstedKode": born["authority_code"],
            "foedselsregistreringsstedKodeMyndighedsnavn": words.authority(born["authority_code"]),
            "supplerendeFoedselsregistreringssted": born["place"],
        },
        "startdato": _dated(row, "start_date"),
        "slutdato": _dated(row, "end_date"),
        "alder": full_years(row.get("birth_date"), today),
        "koen": row.get("gender"),
        "antalBoernUnder18": minors,
        "stilling": row.get("occupation"),
        "DeltBopælMarkering": shared is not None if "shared_residence" in row else None,
        "DeltBopælStartDato": None if shared is None else _midnight(shared["from_date"]),
        "status": {"status": row.get("status"), "statusdato": _dated(row, "status_from")},
        "separation": None if "separation" not in row else {
            "separeret": apart is not None,
            "separationsdato": None if apart is None else _at_midnight(_dated(apart, "from_date")),
        },
        "civilstand": None if "civil_status" not in row else {
            "civilstand": code, "civilstandsdato": _dated(marital, "valid_from"),
        },
        "statsborgerskab": {
            "landekode": citizen.get("country_code"),
            "statsborgerskabDato": _dated(citizen, "valid_from"),
            "landekodeMyndighedsnavn": words.authority(citizen.get("country_code")),
        },
        "umyndiggoerelse": _guardianship(row.get("guardianship"), today),
        "forsvindingsdato": None if gone is None else _dated(gone, "disappeared"),
        **_protections(row, today),
        "tilmeldtNemsms": False,
        "tilmeldtDigitalpost": False,
    }  # fmt: skip


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(0))


def _at_midnight(dated: Value | None) -> Value | None:
    return None if dated is None else {**dated, "dato": _midnight(dated["dato"])}


def _name(row: Row) -> Value:
    name = row.get("name") or {}
    written = row.get("address_text") or {}
    plain = " ".join(filter(None, (name.get(each) for each in ("given_names", "middle_name", "surname"))))
    return {
        "personadresseringsnavn": name.get("addressing_name") or written.get("addressing_name") or plain,
        "fornavn": name.get("given_names"), "mellemnavn": name.get("middle_name"), "efternavn": name.get("surname"),
        "fornavnMarkering": name.get("given_names_mark"), "mellemnavnMarkering": name.get("middle_name_mark"),
        "efternavnMarkering": name.get("surname_mark"), "navnestartdato": _dated(name, "valid_from"),
    }  # fmt: skip


def _protections(row: Row, today: date) -> Value:
    """Each kind: the one in force, else the newest; `beskyttet` by the rule that withholds names."""
    made: Value = {}
    for kind, name in _PROTECTIONS:
        mine = [each for each in row.get("protections") or () if each["type"] == kind]
        active = [each for each in mine if in_force(each["from_date"], each["to_date"], today)]
        shown = (active or sorted(mine, key=lambda each: each["from_date"] or date.min) or [{}])[-1]
        made[name] = {
            "startdato": shown.get("from_date"), "slutdato": shown.get("to_date"),
            "beskyttet": bool(active) if "protections" in row else None,
        }  # fmt: skip
    return made


def in_force(start: date | None, end: date | None, today: date) -> bool:
    if start is None and end is None:
        return False
    return (start is None or start <= today) and (end is None or today < end)


def _guardianship(given: Row | None, today: date) -> Value | None:
    if given is None:
        return None
    return {
        "umyndiggorelseRelationType": given["relation_type"], "relationPersonnummer": given["guardian_pnr"],
        "relationStartdato": given["guardian_from_date"], "relationVaergenavn": given["guardian_name"],
        "relationVaergeadresseStartdato": given["guardian_text_from_date"], "VærgemålType": given["type"],
        "umyndiggoerelseStartdato": _dated(given, "from_date"), "umyndiggoerelseSlettedato": given["to_date"],
        "umyndiggjort": in_force(given["from_date"], given["to_date"], today),
        **{f"relationtekst{number}": given[f"guardian_line_{number}"] for number in range(1, 6)},
    }  # fmt: skip


def _addresses(row: Row, words: Words) -> Value:
    gone, contact = row.get("departure"), row.get("contact_address")
    return {
        "aktuelAdresse": _current(row, words),
        "udrejseoplysninger": None if gone is None else {
            "udrejselandekode": gone["country_code"],
            "udrejselandekodeMyndighedsnavn": words.authority(gone["country_code"]),
            "udrejsedato": _dated(gone, "departed"),
            **{f"udlandsadresse{number}": gone[f"foreign_address_line_{number}"] for number in range(1, 6)},
        },
        "kontaktAdresse": None if contact is None else {
            **{f"kontaktAdr{number}": contact[f"line_{number}"] for number in range(1, 6)},
            "startdato": contact["from_date"], "slettedato": contact["delete_date"],
        },
        "adresseHistorik": [
            {
                **_place(each, words), "conavn": each["care_of"], "retFortrydMarkering": each["correction_mark"],
                "vejnavn": words.road(each["municipality_code"], each["road_code"]),
                "tilflytningsdato": _dated(each, "moved_in"), "fraflytningsdato": _dated(each, "moved_out"),
            }
            for each in row.get("address_history") or ()
        ],
    }  # fmt: skip


def _place(coded: Row, words: Words) -> Value:
    code = coded.get("municipality_code")
    return {
        "kommuneCvr": words.cvr(code),
        "kommunekode": None if code is None else presented_municipality(code),
        "vejkode": coded.get("road_code"), "husnummer": house_number(coded.get("house_number")),
        "etage": coded.get("floor"), "sidedoer": coded.get("door"), "bygningsnummer": coded.get("building_number"),
    }  # fmt: skip


def _current(row: Row, words: Words) -> Value:
    coded, written = row.get("address"), row.get("address_text")
    if coded is None and written is None:
        return {}
    coded, written = coded or {}, written or {}
    return {
        **_place(coded or written, words),
        "conavn": coded.get("care_of") or written.get("care_of"),
        "lokalitet": written.get("locality"), "bynavn": written.get("town"), "postnummer": written.get("postcode"),
        "postdistrikt": written.get("post_district"),
        "vejnavn": coded.get("road_name") or words.road(coded.get("municipality_code"), coded.get("road_code")),
        "standardadresse": written.get("street_address"), "adresseringsnavn": written.get("addressing_name"),
        "vejadresseringsnavn": written.get("road_addressing_name"), "tilflytningsdato": _dated(coded, "moved_in"),
        **{f"adr{number}-supladr": coded.get(f"supplement_line_{number}") for number in range(1, 6)},
        "AdresseUUID": coded.get("address_uuid") or row.get("address_uuid"),
    }  # fmt: skip


def _relations(row: Row) -> Value:
    return {
        "aegtefaelle": _relative(row.get("civil_status"), "spouse"),
        "barn": [
            {"personnummer": each["pnr"]} for each in row.get("children") or () if each["pnr"] not in {None, _NOBODY}
        ],
        "mor": _relative(row.get("parents"), "mother"),
        "far": _relative(row.get("parents"), "father"),
        "foraeldremyndighed": [
            {
                "foraeldremyndighedtype": each["type"], "foraeldremyndighedStartdato": _dated(each, "from_date"),
                "foraeldremyndighedSletdato": each["delete_date"], "relationPersonnummer": each["custodian_pnr"],
                "relationStartdato": each["custodian_from_date"],
            }
            for each in row.get("custody") or ()
        ],
    }  # fmt: skip


def _relative(within: Row | None, who: str) -> Value | None:
    """A relative by number alone; by birth date and name where there is no number."""
    if within is None:
        return None
    number = within[f"{who}_pnr"]
    if number not in {None, "", _NOBODY}:
        return {"personnummer": number}
    born, name = _dated(within, f"{who}_birth_date"), within[f"{who}_name"]
    return {"foedselsdato": born, "navn": name} if born or name else None
