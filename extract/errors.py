"""What can go wrong when data is handed out in bulk."""

from kernel import NotFound, TryAgainLater


class ExtractNotReady(NotFound):
    code = "extract_not_ready"
    title = "The extract is not finished"


class ExtractBroken(TryAgainLater):
    code = "extract_broken"
    title = "The extract could not be finished"
