"""What can go wrong with the mirror."""

from kernel import DataRefused, HouseFault, TryAgainLater


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
