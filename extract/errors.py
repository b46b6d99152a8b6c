"""What can go wrong when data is handed out in bulk."""

import traceback
from pathlib import Path

from kernel import CallerMistake, NotAllowed, NotFound, NotIdentified, RequestInvalid, TryAgainLater


class CursorRefused(RequestInvalid):
    code = "extract_cursor_invalid"
    title = "The cursor does not fit the extract"


class DeltaNeedsKey(RequestInvalid):
    code = "delta_needs_key"
    title = "A delta needs the column that identifies a row"


class ExtractCancelled(NotFound):
    code = "extract_cancelled"
    title = "The extract was cancelled"


class ExtractJobUnknown(NotFound):
    code = "extract_unknown"
    title = "There is no such extract"


class TooManyExtracts(CallerMistake):
    code = "extracts_too_many"
    status = 429
    title = "The agreement has many extracts on their way already"


class CopyTooLarge(RequestInvalid):
    code = "copy_too_large"
    title = "There are too many rows between those keys"


class FormatImpossible(RequestInvalid):
    code = "format_impossible"
    title = "The extract cannot have that form"


class ViewChanged(CallerMistake):
    """The copy that a cursor stands for shows other rows or columns than the extract that is asked for."""

    code = "view_changed"
    status = 410
    title = "What the extract shows has changed since the cursor"


class ExtractNotReady(NotFound):
    code = "extract_not_ready"
    title = "The extract is not finished"


class ExtractBroken(TryAgainLater):
    code = "extract_broken"
    title = "The extract could not be finished"


class ExtractsClosed(TryAgainLater):
    code = "extracts_closed"
    title = "The platform is stopping"


class SshMethodRefused(NotIdentified):
    code = "ssh_method_refused"
    title = "Only keys open the SFTP server"


class SshKeyNotProved(NotIdentified):
    code = "ssh_key_not_proved"
    title = "The client named a key and did not show that it holds it"


class ExchangeRefused(CallerMistake):
    code = "exchange_refused"
    title = "The file was not sent"


class ExchangeNotAgreed(NotAllowed):
    code = "exchange_not_agreed"
    title = "No agreement carries the file"


class ExchangeNameInvalid(CallerMistake):
    code = "exchange_name_invalid"
    title = "A file cannot have that name"


class ExchangeNameTaken(CallerMistake):
    code = "exchange_name_taken"
    status = 409
    title = "A file of that name lies there"


class ExchangeQuotaFull(CallerMistake):
    code = "exchange_quota_full"
    status = 413
    title = "There is no room for the file"


class ExchangeFileBusy(TryAgainLater):
    code = "exchange_file_busy"
    title = "The file is being written"


class ShelfFull(TryAgainLater):
    """Waiting alone gives no room: what lies there is to be fetched first."""

    code = "shelf_full"
    status = 507
    title = "The agreement's shelf is full"


class ExchangeBoxFull(TryAgainLater):
    code = "exchange_box_full"
    title = "The receiver's folder is full"


def told(error: BaseException) -> dict[str, str]:
    """What a log line may say of an unexpected error: its kind and where it came from. Its message can hold values of
    rows.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return {"error": type(error).__name__, "where": where}
