"""Rows of which some are protected, for benchmarks: those of benchmarks/lookup.py and a list of protections."""

from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa

from benchmarks.lookup import FLAT, flat_rows
from kernel import DatasetId
from schemas import Kind

WITHHELD: Final = ("text_1", "text_2", "text_3", "number_1", "day_1")
"""What protected rows do not show, about as much as a name and an address."""
ONE_IN: Final = 50
"""Rows to one that is protected."""
DATASET: Final = DatasetId("guarded.flat")
SOURCE: Final = "guarded-flat"
SERVICE: Final = "guarded-flat-extract"

_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: 0b6f4f55-0a3b-4c55-9b1c-64a5b5a1f1d2
name: Benchmark, some rows protected
version: 1.0.0
status: active
description: {purpose: Rows of 23 columns and a list of protections for the benchmarks.}
schema:
  - name: flat
    logicalType: object
    customProperties:
      - {property: classification, value: public}
      - {property: fictitious, value: '1[0-9]{9}'}
      - property: protection
        value: {list: protections, type: type, types: ['0001'], from: from_date, to: to_date}
    properties:
"""
_LIST = """\
      - name: protections
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: type, logicalType: string}
            - {name: from_date, logicalType: date}
            - {name: to_date, logicalType: date}
"""
_SERVICE = f"""\
name: {SERVICE}
uuid: 93a3c1f4-6c0b-4c0e-8a0e-5e8f7d2b6c33
version: 1.0.0
title: {{da: "Måling, udtræk, beskyttede", en: "Benchmark, extract, some rows protected"}}
description: {{da: Rækker til måling., en: Rows to measure with.}}
status: production
service_type: extract
integration_type: replica
dataset: {DATASET}
sla_class: bulk
"""
_SOURCE = f"""\
name: {SOURCE}
dataset: {DATASET}
connector: {{kind: folder, path: inbox/guarded, pattern: "*.parquet"}}
decoder: {{kind: parquet}}
mode: delta
"""


def register(folder: Path) -> None:
    """The register, as an operator writes one: contract, service, source."""
    kinds = {Kind.TEXT: "string", Kind.INTEGER: "integer", Kind.DATE: "date"}
    properties = "\n".join(
        f"      - {{name: {column.name}, logicalType: {kinds[column.kind]}"
        f"{', primaryKey: true' if column.name == FLAT.key else ''}"
        f"{', classification: protected' if column.name in WITHHELD else ''}}}"
        for column in FLAT.columns
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "guarded.odcs.yaml").write_text(f"{_CONTRACT}{properties}\n{_LIST}", encoding="utf-8")
    (folder / f"{SERVICE}.service.yaml").write_text(_SERVICE, encoding="utf-8")
    (folder / f"{SOURCE}.source.yaml").write_text(_SOURCE, encoding="utf-8")


def guarded_rows(rows: int) -> pa.Table:
    flat = flat_rows(rows)
    shield = [{"type": "0001", "from_date": date(2020, 1, 1), "to_date": None}]
    element = pa.struct([("type", pa.string()), ("from_date", pa.date32()), ("to_date", pa.date32())])
    few = pa.array([shield if number == 0 else [] for number in range(ONE_IN)], pa.list_(element))
    lists = pa.concat_arrays([few] * -(-rows // ONE_IN)).slice(0, rows)
    return flat.append_column("protections", lists)
