"""Our schemas as another library reads them."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import xmlschema

from api.soap.notation import Schema
from api.soap.xsd import xsd_document


def types_of(schema: Schema) -> xmlschema.XMLSchema:
    every = {each.file: xsd_document(each, lambda other: other.file) for each in schema.every().values()}
    return types_in(every, schema.file)


def types_in(documents: Mapping[str, bytes], first: str) -> xmlschema.XMLSchema:
    """Of documents by file name, which import one another by those."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in documents.items():
            (Path(folder) / name).write_bytes(text)
        return xmlschema.XMLSchema(Path(folder) / first)
