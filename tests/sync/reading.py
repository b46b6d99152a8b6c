"""Decoding in tests: bytes in, what the decoder gives out."""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sync.sources.decoded import Decoded, Decoder


def decoded_by(decoder: Decoder, data: bytes, former: Mapping[str, str] | None = None) -> Decoded:
    # What a decoder spilled may go at once: a mapped file lives as long as the table that it is mapped into.
    with tempfile.TemporaryDirectory() as work:
        return decoder.decode(io.BytesIO(data), former or {}, lambda _what, _more: None, Path(work))


def origin_of(decoded: Decoded, key: str) -> pl.DataFrame:
    """ORIGIN of all rows of a delivery."""
    keys = pl.Series("key", pl.from_arrow(decoded.rows[key])).cast(pl.String)
    return decoded.origin.lines(keys)
