"""DuckDB's own COPY of the benchmark's rows, the peer of benchmarks/extract.py.

python -m benchmarks.copy_peer <instance> <file to write> <1 when sorted by key, else 0> <register>

Prints the seconds that the COPY took.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.lookup import FLAT
from replica import ReplicaSettings
from replica.engine import attach_lake, connect
from replica.statements import listed, quoted, table


def main(root: Path, file: Path, *, ordered: bool, register: str) -> float:
    con = connect(file.with_suffix(".scratch"), memory_limit=ReplicaSettings().memory_limit)
    attach_lake(con, "lake", root / "lake", read_only=True, encrypted=True)
    # The other register's rows have a list of protections beside these columns, and nobody copies that.
    rows = table(replace(FLAT, register=register))
    order = f" ORDER BY {quoted(FLAT.key)}" if ordered else ""
    began = time.perf_counter()
    con.execute(f"COPY (SELECT {listed(FLAT.names)} FROM {rows}{order}) TO '{file}' (FORMAT csv, HEADER)")
    return time.perf_counter() - began


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), ordered=sys.argv[3] == "1", register=sys.argv[4]))
