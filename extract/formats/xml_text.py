"""XML of rows, made column by column, and the schema (XSD 1.0) that such a document follows.

`<rows>` holds a `<row>` for each row, which holds an element for each column in the schema's order; a null has none.
A struct's fields are elements of their own, a list holds an `<item>` for each element. What XML cannot hold (most
control characters) becomes U+FFFD. Dates and times are ISO 8601.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.sax.saxutils import quoteattr

import pyarrow as pa
import pyarrow.compute as pc

from extract.ahead import in_order
from extract.formats.json_text import Piece, iso_times, joined
from extract.formats.rows import Batches, small

_MUST_ESCAPE: Final = "[&<>\r\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\ufffe\uffff]"
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_FORBIDDEN: Final = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\ufffe\uffff]"


def namespace_of(name: str) -> str:
    """Of the documents of a dataset, by its id."""
    return f"urn:knudepunkt:{name}"


def xml_document(_: pa.Schema, batches: Batches, name: str) -> Iterator[bytes]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<rows xmlns={quoteattr(namespace_of(name))}>\n'.encode()
    yield from in_order(_rows, small(batches))
    yield b"</rows>\n"


def _rows(batch: pa.RecordBatch) -> bytes:
    rows = ["<row>", *_fields(batch.to_struct_array()), "</row>\n"]
    _, _, text = joined(rows, batch.num_rows).buffers()
    return bytes(text)


def xml_schema(schema: pa.Schema, name: str) -> bytes:
    """The XSD of `xml_document`."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"',
        f"           targetNamespace={quoteattr(namespace_of(name))}>",
        '<xs:element name="rows"><xs:complexType><xs:sequence>',
        '<xs:element name="row" minOccurs="0" maxOccurs="unbounded">',
        *_struct_type(schema),
        "</xs:element>",
        "</xs:sequence></xs:complexType></xs:element>",
        "</xs:schema>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _struct_type(fields: Iterable[pa.Field]) -> Iterator[str]:
    yield "<xs:complexType><xs:sequence>"
    for field in fields:
        yield from _element(field.name, field.type, 'minOccurs="0"')
    yield "</xs:sequence></xs:complexType>"


def _element(name: str, kind: pa.DataType, often: str) -> Iterator[str]:
    if pa.types.is_struct(kind):
        yield f'<xs:element name="{name}" {often}>'
        yield from _struct_type(kind)
        yield "</xs:element>"
    elif pa.types.is_list(kind):
        yield f'<xs:element name="{name}" {often}><xs:complexType><xs:sequence>'
        yield from _element("item", kind.value_type, 'minOccurs="0" maxOccurs="unbounded"')
        yield "</xs:sequence></xs:complexType></xs:element>"
    else:
        yield f'<xs:element name="{name}" type="xs:{_simple(kind)}" {often}/>'


def _simple(kind: pa.DataType) -> str:
    return {
        pa.string(): "string", pa.int64(): "long", pa.float64(): "double", pa.bool_(): "boolean",
        pa.date32(): "date", pa.timestamp("us"): "dateTime",
    }[kind]  # fmt: skip


def _fields(values: pa.Array) -> list[Piece]:
    """What stands within the element of a struct without nulls."""
    pieces: list[Piece] = []
    for index, field in enumerate(values.type):
        pieces += _named(field.name, values.field(index))
    return pieces


def _named(name: str, values: pa.Array) -> list[Piece]:
    """The element of each value; nothing for a null."""
    if values.null_count == len(values):
        return []
    start, end = f"<{name}>", f"</{name}>"
    if not values.null_count:
        return [start, *_content(values), end]
    # Registers are sparse: only what is there is worked on.
    there = values.is_valid()
    known = values.filter(there)
    texts = joined([start, *_content(known), end], len(known))
    return [pc.replace_with_mask(pa.repeat(pa.scalar(""), len(values)), there, texts)]


def _content(values: pa.Array) -> list[Piece]:
    """What stands within the element of each value, none of which is null."""
    kind = values.type
    if pa.types.is_struct(kind):
        return _fields(values)
    if pa.types.is_list(kind):
        return [_items(values)]
    if pa.types.is_string(kind):
        return [_escaped(values)]
    if pa.types.is_timestamp(kind):
        return [iso_times(values)]
    if pa.types.is_floating(kind):
        # XML Schema writes INF where Arrow writes inf.
        texts = pc.replace_substring(values.cast(pa.string()), "inf", "INF")
        return [pc.replace_substring(texts, "nan", "NaN")]
    return [values.cast(pa.string())]


def _items(values: pa.Array) -> pa.Array:
    elements = values.flatten()
    there = elements.is_valid()
    texts = pa.repeat(pa.scalar("<item/>"), len(elements))
    if len(elements) and elements.null_count < len(elements):
        known = elements.filter(there)
        written = joined(["<item>", *_content(known), "</item>"], len(known))
        texts = pc.replace_with_mask(texts, there, written)
    ends = pc.cumulative_sum(pc.list_value_length(values))
    starts = pa.concat_arrays([pa.array([0], ends.type), ends])
    return pc.binary_join(pa.ListArray.from_arrays(starts, texts), "")


def _escaped(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(texts, _MUST_ESCAPE)).as_py():
        return texts
    for character, entity in _ENTITIES.items():
        texts = pc.replace_substring(texts, character, entity)
    return pc.replace_substring_regex(texts, _FORBIDDEN, "\ufffd")
