"""What can go wrong with the mirror."""

from kernel import CallerMistake, DataRefused, HouseFault, NotFound, OperatorMistake, RequestInvalid, TryAgainLater


class LakeBusy(TryAgainLater):
    code = "lake_busy"
    title = "Another process is publishing"


class DatasetNotReady(TryAgainLater):
    code = "dataset_not_ready"
    title = "The dataset has not been mirrored yet"


class KeysRepeated(DataRefused):
    code = "keys_repeated"
    title = "A delivery holds a key more than once"


class LakeInconsistent(HouseFault):
    code = "lake_inconsistent"
    title = "The mirror is not as it was written"


class CatalogueShared(OperatorMistake):
    code = "catalogue_shared"
    title = "The mirror's catalogue holds something else"


class RollbackImpossible(OperatorMistake):
    code = "rollback_impossible"
    title = "The dataset cannot go back to that snapshot"


class HistoryExpired(CallerMistake):
    """What was asked about lies before the snapshots that are kept."""

    code = "history_expired"
    status = 410
    title = "The mirror's history does not reach back so far"


class SnapshotUnknown(NotFound):
    code = "snapshot_unknown"
    title = "There is no such snapshot yet"


class SearchInvalid(RequestInvalid):
    """A condition, an order or a limit that the dataset cannot be searched by. Names the column, never the value."""

    code = "search_invalid"
    title = "The search cannot be understood"


class CursorInvalid(RequestInvalid):
    code = "cursor_invalid"
    title = "The cursor does not fit the search"


class SearchTooSlow(TryAgainLater):
    """The search took longer than one may, and was stopped."""

    code = "search_too_slow"
    title = "The search takes too long"
