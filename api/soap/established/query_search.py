"""From a search parameter of CPRQueryService to the platform's own search. Pure but for the municipalities' numbers."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Final
from unicodedata import combining, normalize
from urllib.parse import unquote

from api.soap.errors import PayloadInvalid, QueryRefused
from api.soap.established.query_words import (
    And,
    Everything,
    Or,
    Query,
    QueryUnreadable,
    Span,
    Term,
    Without,
    read_query,
)
from replica import AllOf, AnyOf, Condition, Joined, Matching, Not, Op, Order, Search

CodesOf = Callable[[str], tuple[str, ...]]
"""The codes of the municipalities with a CVR number."""

MOST_ROWS: Final = 250
FURTHEST: Final = 5_000
SLOWEST_MS: Final = 1_800
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "fornavn": ("name.given_names",), "mellemnavn": ("name.middle_name",), "efternavn": ("name.surname",),
    "fuldenavn": ("name.given_names", "name.middle_name", "name.surname", "name.addressing_name"),
    "vejnavn": ("address.road_name", "address_text.road_addressing_name"),
    "standardadresse": ("address_text.street_address",), "by": ("address_text.post_district",),
}  # fmt: skip
"""Fields whose words are found wherever they stand, whatever their accents and capitals."""
EXACT: Final[Mapping[str, tuple[str, ...]]] = {
    "cprnummer": ("pnr",), "koen": ("gender",), "status": ("status",), "etage": ("address.floor",),
    "sidedoer": ("address.door",), "postnummer": ("address_text.postcode",), "vejkode": ("address.road_code",),
    "husnummer": ("address.house_number",), "adresseUUID": ("address_uuid", "address.address_uuid"),
    "historiskhusnummer": ("address_history.house_number",), "historisketage": ("address_history.floor",),
    "historisksidedoer": ("address_history.door",), "historiskvejkode": ("address_history.road_code",),
}  # fmt: skip
_MUNICIPALITY: Final = {
    "kommunecvr": "municipality_code", "historiskkommunecvr": "address_history.municipality_code",
}  # fmt: skip
_DIGITS: Final = {"status": 2, "vejkode": 4, "historiskvejkode": 4}
_HOUSES: Final = frozenset({"husnummer", "historiskhusnummer"})
_SORTS: Final = {
    **{name: columns[0] for name, columns in {**TEXTS, **EXACT}.items() if not name.startswith("historisk")},
    "standardadr": "address_text.street_address", "foedselsdato": "birth_date",
}  # fmt: skip
_EVEN: Final = "[0-9]*[02468] ?[A-ZÆØÅ]?"
_APART: Final = r"[^\p{L}\p{N}]"
_FORBIDDEN: Final = {
    "id": "id is not allowed as search parameter", "_query_": "_query_ is not allowed as search parameter",
}  # fmt: skip
_NO_DISTRICT: Final = (
    'It is not allowed to search on distrikt, without kommunecvr (q=distrikt:"someValue" AND kommunecvr:"someCvr"'
)


def read_search(parameter: str, codes_of: CodesOf) -> Search:
    """Raises QueryRefused with a text that clients know, PayloadInvalid for what cannot be read."""
    given = _parameters(parameter)
    single = {name: values[-1] for name, values in given.items()}
    _ensure_allowed(single)
    rows = _number(single, "rows", 10, MOST_ROWS)
    start = _number(single, "start", 0, FURTHEST)
    _number(single, "timeAllowed", SLOWEST_MS, SLOWEST_MS)
    fields = _free_text_fields(single.get("qf", ""))
    queries = [*given.get("q", ()), *given.get("fq", ())]
    if not queries:
        raise _unread("there is no q")
    conditions = tuple(_Translator(fields, codes_of).joined(_read(each)) for each in queries)
    # No page is asked for when rows is 0: only how many there are.
    return Search(
        conditions=conditions, order=_orders(single.get("sort", "")), limit=max(1, rows), skip=start, counted=True
    )


def wanted_rows(parameter: str) -> int:
    return _number({name: values[-1] for name, values in _parameters(parameter).items()}, "rows", 10, MOST_ROWS)


def _parameters(parameter: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in parameter.split("&"):
        name, separator, value = each.partition("=")
        if separator and name.strip():
            found.setdefault(name.strip(), []).append(unquote(value))
        elif each.strip():
            raise _unread("a part of it is no name=value")
    return found


def _ensure_allowed(given: Mapping[str, str]) -> None:
    if given.get("defType", "edismax") != "edismax":
        raise QueryRefused("Only defType allowed is edismax")
    for name in ("fl", "wt", "debug"):
        # The established guide's own examples hold wt=xml, so that one is read past.
        if name in given and not (name == "wt" and given[name] == "xml"):
            raise QueryRefused(f"Not allowed to set {name}")
    if "distrikt" in given.get("qf", ""):
        raise QueryRefused("distrikt not allowed in qf")
    if re.search(r"\bid\b", given.get("qf", "")):
        raise QueryRefused("id is not allowed as qf parameter")
    if re.search(r"\bid:", given.get("fq", "")):
        raise QueryRefused("id is not allowed as fq parameter")


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise _unread(f"{name} is no number")
    if int(text) > most:
        raise QueryRefused(f"{name} too high (max {most})")
    least = 1 if name == "timeAllowed" else 0
    if int(text) < least:
        raise QueryRefused(f"{name} too low (min {least})")
    return int(text)


def _free_text_fields(qf: str) -> tuple[str, ...]:
    fields = tuple(each.partition("^")[0] for each in qf.split())
    for each in fields:
        if each not in TEXTS and each not in EXACT:
            raise _unread("qf holds what is no field of a text")
    return fields or ("fuldenavn",)


def _orders(sort: str) -> tuple[Order, ...]:
    orders = []
    for each in filter(None, (part.strip() for part in sort.split(","))):
        name, _, direction = each.partition(" ")
        column = _SORTS.get(name.removesuffix("_sort"))
        if column is None or direction.strip().lower() not in {"", "asc", "desc"}:
            raise _unread("sort holds what is no field and direction")
        orders.append(Order(column=column, descending=direction.strip().lower() == "desc"))
    return tuple(orders)


def _read(text: str) -> Query:
    try:
        found = read_query(text)
    except QueryUnreadable as error:
        raise _unread(str(error)) from None
    fields = set(_fields(found))
    for name, said in _FORBIDDEN.items():
        if name in fields:
            raise QueryRefused(said)
    if "distrikt" in fields:
        if "kommunecvr" not in fields:
            raise QueryRefused(_NO_DISTRICT)
        raise _unread("districts are not kept here, so nobody is found by them")
    return found


def _fields(query: Query) -> Iterable[str]:
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _fields(part)
        case Without(part):
            yield from _fields(part)
        case Term(field=str(name)) | Span(field=name):
            yield name


class _Translator:
    def __init__(self, free_text: tuple[str, ...], codes_of: CodesOf) -> None:
        self._free_text, self._codes_of = free_text, codes_of

    def joined(self, query: Query) -> Joined:
        match query:
            case And(parts):
                return AllOf(tuple(self.joined(part) for part in parts))
            case Or(parts):
                return AnyOf(tuple(self.joined(part) for part in parts))
            case Without(part):
                return Not(self.joined(part))
            case Everything():
                return AllOf(())
            case Span():
                return self._span(query)
            case Term(field=None):
                return AnyOf(tuple(self._term(name, query) for name in self._free_text))
            case Term(field=str(name)):
                return self._term(name, query)
        raise AssertionError

    def _term(self, field: str, term: Term) -> Joined:
        if field in _MUNICIPALITY:
            codes = self._codes_of(term.text)
            if not codes:
                return AnyOf(())
            return Condition(column=_MUNICIPALITY[field], op=Op.IN, value=codes)
        if field == "foedselsdato":
            return Condition(column="birth_date", op=Op.EQ, value=_day(term.text))
        if field == "doed":
            gone = Condition(column="status", op=Op.GE, value="20")
            return gone if _flag(term.text, field) else Not(gone)
        if field == "husnummerlige":
            even = Matching(column="address.house_number", pattern=_EVEN)
            numbered = Matching(column="address.house_number", pattern="[0-9]+.*")
            return even if _flag(term.text, field) else AllOf((numbered, Not(even)))
        if field in TEXTS:
            pattern = _words(term)
            return AnyOf(tuple(Matching(column=each, pattern=pattern, folded=True) for each in TEXTS[field]))
        if field in EXACT:
            pattern = _whole(field, term)
            return AnyOf(tuple(Matching(column=each, pattern=pattern) for each in EXACT[field]))
        raise _unread("the query names a field that nobody is found by")

    def _span(self, span: Span) -> Joined:
        lower_op, upper_op = (Op.GE if span.inclusive[0] else Op.GT), (Op.LE if span.inclusive[1] else Op.LT)
        if span.field == "foedselsdato":
            column, value = "birth_date", _day
        elif span.field in EXACT and len(EXACT[span.field]) == 1:
            column, value = EXACT[span.field][0], lambda text: _padded(span.field, text)
        else:
            raise _unread("the query has a range in a field that has none")
        ends = ((lower_op, span.lower), (upper_op, span.upper))
        return AllOf(tuple(Condition(column=column, op=op, value=value(text)) for op, text in ends if text is not None))


def _day(text: str) -> str:
    """A date, with or without a time behind it."""
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise _unread("a birth date in the query is no date") from None


def _flag(text: str, field: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise _unread(f"{field} takes true or false")
    return text.lower() == "true"


def folded(text: str) -> str:
    """As the search compares texts: small letters without accents, æ as ae, ø as o, å as a."""
    plain = "".join(each for each in normalize("NFD", text.lower()) if not combining(each))
    return plain.replace("ø", "o").replace("æ", "ae")


def _words(term: Term) -> str:
    """A pattern for words that stand one after the other somewhere in a text."""
    text = folded(term.text)
    wild = not term.phrase
    words = [_pattern(word, wild=wild, within=r"[\p{L}\p{N}]") for word in re.split(r"[\s\-.,/]+", text) if word]
    if not words:
        raise _unread("the query has a term without letters")
    return f"(^|{_APART}){f'{_APART}+'.join(words)}($|{_APART})"


def _whole(field: str, term: Term) -> str:
    text = term.text if term.phrase else re.sub(r"\\(.)", r"\1", term.text)
    if field in _HOUSES:
        return f"0*{_pattern(text.lstrip('0').upper(), wild=not term.phrase, within='.')} ?"
    return _pattern(_padded(field, text), wild=not term.phrase, within=".")


def _padded(field: str, text: str) -> str:
    return text.zfill(_DIGITS[field]) if field in _DIGITS and text.isdigit() else text


def _pattern(text: str, *, wild: bool, within: str) -> str:
    if not wild:
        return re.escape(text)
    made = {"*": f"{within}*", "?": within}
    return "".join(made.get(each) or re.escape(each) for each in text.replace("\\", ""))


def _unread(what: str) -> PayloadInvalid:
    return PayloadInvalid(f"searchParameter: {what}", remedy="mend the query", rule="soap.query")
