"""What searchLegalUnit and searchProductionUnit ask, as the platform's own search. Pure.

Names are found by their words, whatever their accents and capitals, each from its beginning on. What the mirror does
not know cannot be searched by, and is refused rather than read past.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from lxml import etree

from api.soap.context import leaf
from api.soap.errors import PayloadInvalid
from api.soap.established.query_search import folded
from api.soap.interface import one_of
from replica import AllOf, AnyOf, Condition, Joined, Matching, Op, Search

MOST_FOUND: Final = 1_000
_DEFAULT: Final = 100
_NOT_KEPT: Final = frozenset({
    "SearchContactInformation", "CreditorStatusCode", "EmploymentIntervalCode", "PersonCivilregistrationIdentifier",
    "CareOfName", "RegionCode", "StreetBuildingIdentifier",
})  # fmt: skip


def company_search(request: Any) -> Search:
    """Raises PayloadInvalid."""
    return _search(request, _company(request))


def unit_search(request: Any) -> Search:
    """Raises PayloadInvalid."""
    conditions = list(_either(request))
    if (number := _text(request, "LegalUnitIdentifier")) is not None:
        conditions.append(_equal("cvr", number))
    return _search(request, iter(conditions))


def _search(request: Any, conditions: Iterator[Joined]) -> Search:
    for each in request.iter():
        name = etree.QName(each).localname
        if name in _NOT_KEPT:
            raise PayloadInvalid(f"nobody is found by {name} here", remedy="search by something else")
    wanted = tuple(conditions)
    if not wanted:
        raise PayloadInvalid("the search has no condition", remedy="name at least one; for everybody, fetch an extract")
    most = request.get("maximumNumberOfResultsType", "")
    limit = min(int(most[:6]), MOST_FOUND) if most.isdigit() and int(most[:6]) > 0 else _DEFAULT
    return Search(conditions=wanted, limit=limit)


def _company(request: Any) -> Iterator[Joined]:
    yield from _either(request)
    if (code := _text(request, "BusinessFormatCode")) is not None:
        yield _equal("form_code", code.zfill(2))
    if (interval := one_of(request, "SearchNumberOfProductionUnitInterval")) is not None:
        yield from _between(interval, "StartNumber", "EndNumber", "unit_count", _number)


def _either(request: Any) -> Iterator[Joined]:
    if (name := _text(request, "SearchName")) is not None:
        yield _named("name", name)
    if (place := one_of(request, "SearchAddress")) is not None:
        if (road := _text(place, "StreetName")) is not None:
            yield _named("address.road", road)
        if (postcode := _text(place, "PostCodeIdentifier")) is not None:
            yield _equal("address.postcode", postcode)
        if (municipality := _text(place, "MunicipalityCode")) is not None:
            yield _equal("municipality_code", municipality.zfill(4))
    if (industry := _text(request, "ActivityCode")) is not None:
        yield _equal("industry_code", industry)
    if (interval := one_of(request, "SearchLifecycleStartDateInterval")) is not None:
        yield from _between(interval, "StartDate", "EndDate", "start_date", _day)
    if _text(request, "SearchLifecycleStatus") == "active":
        yield Condition(column="end_date", op=Op.NULL, value=True)
    if (protected := _text(request, "AdvertisingProtectionIndicator")) is not None:
        shielded = protected in {"true", "1"}
        known = Condition(column="advertising_protected", op=Op.EQ, value=shielded)
        # As answers tell it: protected unless it is known not to be.
        unknown = Condition(column="advertising_protected", op=Op.NULL, value=True)
        yield AnyOf((known, unknown)) if shielded else known


def _between(interval: Any, start: str, end: str, column: str, value: Any) -> Iterator[Condition]:
    for name, op in ((start, Op.GE), (end, Op.LE)):
        if (text := _text(interval, name)) is not None:
            yield Condition(column=column, op=op, value=value(text, name))


def _named(column: str, text: str) -> Joined:
    words = [re.escape(word) for word in re.split(r"\W+", folded(text)) if word]
    if not words:
        raise PayloadInvalid("a name to search by has no letters", remedy="mend it")
    return AllOf(tuple(Matching(column=column, pattern=rf"(^|[^\p{{L}}\p{{N}}]){word}", folded=True) for word in words))


def _equal(column: str, value: str) -> Condition:
    return Condition(column=column, op=Op.EQ, value=value)


def _text(within: Any, name: str) -> str | None:
    found = one_of(within, name)
    return None if found is None else leaf(found, name)


def _day(text: str, name: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise PayloadInvalid(f"{name} is no date", remedy="mend it") from None


def _number(text: str, name: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise PayloadInvalid(f"{name} is no number", remedy="mend it")
    return int(text)
