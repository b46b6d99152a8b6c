"""An analyst's process: reads a table with the official client, some times, and prints what became of each.

    python -m tests.api.reader <profile>#<share>.<schema>.<table> <times> <delta|parquet|either>

A process of its own, since the library that files are fetched with reads the trusted authorities when it is imported.
"""

import json
import sys

from delta_sharing.delta_sharing import DeltaSharingProfile, DeltaSharingReader, _parse_url
from delta_sharing.protocol import Table
from delta_sharing.rest_client import DataSharingRestClient
from requests.exceptions import HTTPError

_FORMS = {"delta": True, "parquet": False, "either": None}


def main(url: str, times: str, form: str) -> None:
    file, share, schema, name = _parse_url(url)
    client = DataSharingRestClient(DeltaSharingProfile.read_from_file(file), num_retries=0)
    for _ in range(int(times)):
        reader = DeltaSharingReader(Table(name, share, schema), client, use_delta_format=_FORMS[form])
        said: dict[str, int | str]
        try:
            said = {"rows": len(reader.to_pandas())}
        except HTTPError as error:
            said = {"refused": str(error)}
        print(json.dumps(said), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
