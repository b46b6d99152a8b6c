"""What companies and production units have alike. Pure."""

from typing import Any

from sync.sources.cvr.history import Value, code, current, history, latest


def common(document: Value) -> Value:
    """Names, addresses, industries, life and bookkeeping of either kind of unit."""
    life = document.get("livsforloeb") or []
    name = latest(document.get("navne"))
    place = latest(document.get("beliggenhedsadresse"))
    industry = latest(document.get("hovedbranche"))
    first = min((each["periode"].get("gyldigFra") or "" for each in life), default="")
    return {
        "name": name and name["navn"],
        "address": place and address(place),
        "municipality_code": place and address(place)["municipality_code"],
        "industry_code": industry and industry["branchekode"],
        "industry_text": industry and industry["branchetekst"],
        "advertising_protected": document.get("reklamebeskyttet"),
        "start_date": first or None,
        "end_date": None if current(life) or not life else _end(life),
        "employees": employees(document),
        "names": history(document.get("navne"), lambda value: {"name": value["navn"]}),
        "addresses": history(document.get("beliggenhedsadresse"), address),
        "industries": history(document.get("hovedbranche"), _industry),
        "unit_number": code(document["enhedsNummer"], 10),
        "updated_at": document.get("sidstOpdateret"),
    }


def address(value: Value) -> Value:
    municipality = value.get("kommune") or {}
    return {
        "country": value.get("landekode"),
        "municipality_code": code(municipality.get("kommuneKode"), 4),
        "municipality_name": municipality.get("kommuneNavn"),
        "road_code": code(value.get("vejkode"), 4),
        "road": value.get("vejnavn"),
        "house_number_from": _text(value.get("husnummerFra")),
        "house_number_to": _text(value.get("husnummerTil")),
        "letter_from": value.get("bogstavFra"),
        "letter_to": value.get("bogstavTil"),
        "floor": value.get("etage"),
        "door": value.get("sidedoer"),
        "care_of": value.get("conavn"),
        "po_box": _text(value.get("postboks")),
        "town": value.get("bynavn"),
        "postcode": code(value.get("postnummer"), 4),
        "post_district": value.get("postdistrikt"),
        "free_text": value.get("fritekst"),
    }


def employees(document: Value) -> Value | None:
    """The latest count of employees, by month, else by quarter, else by year."""
    for name, unit in (("maanedsbeskaeftigelse", "maaned"), ("kvartalsbeskaeftigelse", "kvartal")):
        if found := document.get(name):
            last = max(found, key=lambda each: (each["aar"], each[unit]))
            return _count(last) | {"period": f"{last['aar']}-{unit[0].upper()}{last[unit]:02d}"}
    if found := document.get("aarsbeskaeftigelse"):
        last = max(found, key=lambda each: each["aar"])
        return _count(last) | {"period": str(last["aar"])}
    return None


def _count(value: Value) -> Value:
    return {"count": value.get("antalAnsatte"), "interval": value.get("intervalKodeAntalAnsatte")}


def _industry(value: Value) -> Value:
    return {"code": value["branchekode"], "text": value.get("branchetekst")}


def _end(life: list[Value]) -> str | None:
    return max((each["periode"].get("gyldigTil") or "" for each in life), default="") or None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
