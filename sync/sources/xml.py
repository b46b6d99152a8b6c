"""The XML decoder: elements of one name are records, and a mapping says what of them goes into which column."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from lxml import etree

from schemas import Column, Dataset, Kind
from sync.errors import DeliveryUnreadable, SourceInvalid, SourceMisfit
from sync.sources.csv_table import SHAPES
from sync.sources.decoded import Decoded, Tell
from sync.sources.json_values import Misfit
from sync.sources.records import decode_records

BLOCK_BYTES: Final = 1024 * 1024
ENVELOPE: Final = "held-back-records"
STEP: Final = r"(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*"
PATH: Final = re.compile(rf"(?P<steps>{STEP}(?:/{STEP})*)?(?:(?:^|/)@(?P<attribute>{STEP}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a record a value stands: elements below it by their names, then perhaps an attribute.

    steps       `person/name`; empty for the record itself
    attribute   its name in Clark's notation
    """

    steps: str
    attribute: str | None

    def values(self, record: Any, namespaces: Mapping[str, str]) -> list[str]:
        found = record.findall(self.steps, namespaces) if self.steps else [record]
        if self.attribute is not None:
            texts = [each.get(self.attribute) for each in found]
        elif any(len(each) for each in found):
            raise Misfit("wrong_type", f"{self.steps or 'the record'}: holds elements, and no text alone")
        else:
            texts = [each.text for each in found]
        return [text.strip() for text in texts if text and text.strip()]


@dataclass(frozen=True, slots=True)
class XmlDecoder:
    """record       name of the elements that are records, with a prefix of `namespaces` or without
    mapping      `path/of/elements`, `@attribute` or `path/@attribute` by column
    namespaces   their names by prefix

    The file is read as it comes, and a record is let go once it is read. A document type is refused, and with it
    every entity that it could define; nothing is fetched. A value that stands there several times goes into a list
    alone. Nothing there, or an empty text, is null.

    Raises SourceInvalid for a name or path that is none, SourceMisfit for columns that the dataset does not have, or
    that are objects.
    """

    dataset: Dataset
    record: str
    mapping: Mapping[str, str]
    namespaces: Mapping[str, str] = field(default_factory=dict)
    _places: dict[str, Place] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        delivered = {column.name: column for column in self.dataset.columns if column.derived is None}
        if strange := sorted(name for name in self.mapping if name not in delivered or not _flat(delivered[name])):
            raise SourceMisfit(
                f"the mapping names what is no column to be delivered, or has fields: {', '.join(strange)}",
                remedy="mend the mapping",
            )
        self._clark(self.record)
        self._places.update({column: self._place(path) for column, path in self.mapping.items()})

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        try:
            return decode_records(self._records(stream, tell), dict, self.dataset, tell, work)
        except etree.XMLSyntaxError:
            # The library's own message may quote values.
            raise DeliveryUnreadable(
                "the file is not one whole XML document", remedy="have it delivered again"
            ) from None

    def again(self, frame: str, lines: Sequence[str]) -> bytes:  # noqa: ARG002
        return "\n".join([f"<{ENVELOPE}>", *lines, f"</{ENVELOPE}>"]).encode()

    def _records(self, stream: BinaryIO, tell: Tell) -> Iterator[tuple[str, Any]]:
        """Text of each record, and its values by column."""
        parser = etree.XMLPullParser(
            ("start", "end"), tag=self._clark(self.record),
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
        depth = 0
        while block := stream.read(BLOCK_BYTES):
            tell("bytes", len(block))
            parser.feed(block)
            for event, element in parser.read_events():
                _ensure_plain(element)
                depth += 1 if event == "start" else -1
                # A record within a record is a part of it.
                if event == "end" and depth == 0:
                    yield self._read(element)
                    _let_go(element)
        _ensure_plain(parser.close())

    def _read(self, element: Any) -> tuple[str, Any]:
        text = etree.tostring(element, encoding="unicode", with_tail=False)
        try:
            return text, {name: self._value(self.dataset.column(name), element) for name in self.mapping}
        except Misfit as misfit:
            return text, misfit

    def _value(self, column: Column, element: Any) -> Any:
        values = self._places[column.name].values(element, self.namespaces)
        if column.kind is Kind.ARRAY and column.item is not None:
            return [_typed(value, column.item.kind) for value in values]
        if len(values) > 1:
            raise Misfit("several", f"{column.name}: stands there several times")
        return _typed(values[0], column.kind) if values else None

    def _place(self, path: str) -> Place:
        found = PATH.fullmatch(path)
        if found is None or not path:
            raise SourceInvalid(f"{path} is no path to a value of a record", remedy="write it as `path/of/@attribute`")
        for step in (found["steps"] or "").split("/"):
            self._clark(step)
        return Place(found["steps"] or "", found["attribute"] and self._clark(found["attribute"]))

    def _clark(self, name: str) -> str:
        """`{namespace}name` of `prefix:name`."""
        prefix, colon, local = name.rpartition(":")
        if colon and prefix not in self.namespaces:
            raise SourceInvalid(f"{name}: no namespace has that prefix", remedy="name it below `namespaces`")
        return f"{{{self.namespaces[prefix]}}}{local}" if colon else name


def _flat(column: Column) -> bool:
    inner = column.item if column.kind is Kind.ARRAY else column
    return inner is not None and inner.kind not in (Kind.OBJECT, Kind.ARRAY)


def _typed(text: str, kind: Kind) -> Any:
    """As JSON would have it; a text that is not of the kind stays one, and is told apart by its type later on."""
    match kind:
        case Kind.INTEGER if re.match(SHAPES[kind], text):
            return int(text)
        case Kind.NUMBER if re.match(SHAPES[kind], text):
            return float(text)
        case Kind.BOOLEAN if text in ("true", "false", "1", "0"):
            return text in ("true", "1")
    return text


def _ensure_plain(element: Any) -> None:
    if element is not None and element.getroottree().docinfo.doctype:
        raise DeliveryUnreadable("the file has a document type", remedy="have it delivered without one")


def _let_go(element: Any) -> None:
    """Free a record and what stood before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
