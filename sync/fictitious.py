"""A test environment holds nobody's data: of registers that tell about persons, fictitious rows alone come in."""

import re

import pyarrow as pa
from pyarrow import compute

from schemas import Dataset
from sync.errors import NotFictitious
from sync.sources.decoded import Decoded

_REMEDY = (
    "load it in the production environment; a delivery of other invented data passes where its source file says "
    "`fictitious: true`"
)


def ensure_fictitious(decoded: Decoded, dataset: Dataset) -> None:
    """Raises NotFictitious when a row of a register with personal data may be about somebody who lives.

    What shows that a row is invented is its key, by the contract's `fictitious`: numbers that no register gives out.
    Held-back lines have no key that can be trusted, so a delivery of nothing else does not come in either.
    """
    if not dataset.personal:
        return
    if dataset.fictitious is None:
        raise NotFictitious(
            f"the contract of {dataset.id} does not say how fictitious rows are known, and this is a test environment",
            remedy="add the custom property `fictitious` to its dataset, or `fictitious: true` to the source file",
            rule="environment.fictitious",
        )
    whole = f"^(?:{dataset.fictitious})$"
    keys = pa.chunked_array([*decoded.rows[dataset.key].cast(pa.string()).chunks, decoded.deletes.cast(pa.string())])
    strange = len(keys) - (compute.sum(compute.match_substring_regex(keys, whole)).as_py() or 0)
    if strange:
        raise NotFictitious(
            f"{strange:,} of {len(keys):,} rows are not fictitious, and this is a test environment",
            remedy=_REMEDY,
            rule="environment.fictitious",
        )
    if not len(keys) and decoded.quarantine.height:
        raise NotFictitious(
            "no line can be read, so none is known to be fictitious, and this is a test environment",
            remedy=_REMEDY,
            rule="environment.fictitious",
        )


def is_fictitious(key: object, dataset: Dataset) -> bool:
    """Whether a row with this key is known to be about nobody."""
    if not dataset.personal:
        return True
    return dataset.fictitious is not None and isinstance(key, str) and bool(re.fullmatch(dataset.fictitious, key))
