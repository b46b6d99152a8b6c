"""Whether a new version of a service needs a new request: only when it widens what somebody gets to see. Pure."""

from collections.abc import Iterable

from control.agreements.terms import ServiceTerms
from schemas import Classification, Dataset


def widened(
    terms: ServiceTerms,
    before: Dataset | None,
    after: Dataset | None,
    *,
    searched_before: Iterable[str] = (),
    searched_after: Iterable[str] = (),
) -> tuple[str, ...]:
    """What the new version has that the agreement does not carry, in words; empty when no new request is needed.

    terms               what the agreement covers of the service
    before, after       its dataset; None for a service that has none
    searched_before, searched_after   what it can be searched by

    A version that takes something away, or says it more strictly, needs none: the agreement carries what is left.
    """
    if before is None and after is None:
        return ()
    if before is None or after is None or before.id != after.id:
        return ("another dataset",)
    return (
        *(f"the new column {name}" for name in _new_columns(terms, before, after)),
        *(f"{name} of protected persons" for name in _no_longer_withheld(terms, before, after)),
        *(f"rows that {name} no longer limits" for name in sorted(terms.rows.keys() - set(after.names))),
        *(f"searching by {name}" for name in sorted(set(searched_after) - set(searched_before))),
    )


def _new_columns(terms: ServiceTerms, before: Dataset, after: Dataset) -> tuple[str, ...]:
    """Only for an agreement on everything: one that chose its columns wanted no others."""
    if terms.columns is not None and not terms.columns.issuperset(before.names):
        return ()
    had = set(before.names) | (terms.columns or set())
    return tuple(name for name in after.names if name not in had)


def _no_longer_withheld(terms: ServiceTerms, before: Dataset, after: Dataset) -> tuple[str, ...]:
    if terms.protected:
        return ()
    covered = set(before.protected_columns if terms.columns is None else terms.columns)
    still = {each.name for each in after.columns if each.classification is Classification.PROTECTED}
    if before.protection is not None and after.protection is not None:
        fewer = before.protection.types - after.protection.types
        still = set() if fewer else still
    there = set(after.names)
    return tuple(name for name in before.protected_columns if name in covered and name in there - still)
