"""What is wrong with source files: file, line, what, and how to mend it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from kernel import DatasetId
from schemas import Dataset, Finding, Review, did_you_mean, path_of, read_document
from sync.errors import SourceInvalid, SourceMisfit
from sync.spec import SourceSpec, read_source, source_fields, source_files

_TAGGED = ("connector", "decoder")


def check_sources(*folders: Path, datasets: Mapping[DatasetId, Dataset] | None) -> list[Finding]:
    """Empty when nothing is wrong. Never raises for what files hold.

    datasets   by id; None when they are not known, and whether a source's exists is not judged
    """
    findings: list[Finding] = []
    first: dict[str, Finding] = {}
    for path in source_files(folders):
        document, faults = read_document(path)
        findings += faults
        if document is None or faults:
            continue
        review = Review(document)
        spec = _read(review)
        if spec is not None:
            place = document.finding("name", f"there is a source {spec.name} already", "choose another name")
            if first.setdefault(spec.name, place) is not place:
                review.findings.append(place)
            if datasets is not None:
                _review_dataset(review, spec, datasets)
        findings += review.findings
    return findings


def _read(review: Review) -> SourceSpec | None:
    try:
        return read_source(review.document.value, review.document.path.parent)
    except ValidationError as error:
        for where, problem, remedy in _faults(error):
            review.error(where, problem, remedy)
    except SourceInvalid as error:
        review.error("schedule", error.message, error.remedy or "mend it")
    return None


def _faults(error: ValidationError) -> Iterator[tuple[str, str, str]]:
    """(where, what, remedy)."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        # A union names the kind that it chose between the part and its field; the file does not.
        steps = [step for at, step in enumerate(fault["loc"]) if not (at == 1 and fault["loc"][0] in _TAGGED)]
        if len(fault["loc"]) == 2 and fault["loc"][0] in _TAGGED:
            steps = list(fault["loc"])
        if fault["type"] == "missing":
            remedy = "add it"
        elif fault["type"] == "extra_forbidden":
            remedy = did_you_mean(str(steps[-1]), source_fields()) if len(steps) == 1 else "remove it"
        else:
            remedy = "see docs/guides/operators.md for what may stand there"
        yield path_of(steps) or "document", fault["msg"], remedy


def _review_dataset(review: Review, spec: SourceSpec, datasets: Mapping[DatasetId, Dataset]) -> None:
    dataset = datasets.get(spec.dataset)
    if dataset is None:
        review.error("dataset", f"no contract promises {spec.dataset!r}", did_you_mean(spec.dataset, datasets))
        return
    try:
        spec.decoder.decoder(dataset)
    except SourceMisfit as misfit:
        review.error("decoder", misfit.message, misfit.remedy or "mend it")
