"""Another process that writes extracts of a lake: python -m tests.extract.other_process <lake> <format> ...

Prints each format and the SHA-256 of the bytes.
"""

import hashlib
import sys
from pathlib import Path

from extract import Format, rows_of
from extract.formats import encode
from replica import Lake, ReplicaSettings
from tests.extract.builders import RESIDENTS, grant, plan


def main(folder: Path, kind: Format) -> str:
    with Lake.open(folder, ReplicaSettings(threads=1), write=False) as lake:
        info = lake.info(RESIDENTS)
        assert info is not None
        rows = rows_of(lambda: lake, RESIDENTS, plan(grant(), kind, info=info))
        digest = hashlib.sha256()
        for piece in encode(kind, rows.schema, rows, name=RESIDENTS.id):
            digest.update(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    for each in map(Format, sys.argv[2:]):
        print(each, main(Path(sys.argv[1]), each))  # noqa: T201
