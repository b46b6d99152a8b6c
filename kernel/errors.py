"""Everything that this house raises on purpose. The branches answer 'what should I do now?'.

PlatformError
├── CallerMistake      4xx  change the call; the same again will not help
│   ├── RequestInvalid 400  the request cannot be understood
│   ├── NotIdentified  401  we do not know who is calling
│   ├── NotAllowed     403  we know, and no live agreement carries the call
│   └── NotFound       404  there is no such service, operation or record
├── TryAgainLater      503  the same call may succeed; retry_after_s says when
├── OperatorMistake    a setting, a contract or a command must be mended by whoever runs the house
├── DataRefused        a source delivered what may not be published; nothing was
└── HouseFault         500  ours; wake someone

Leaves live in the room that raises them. Each has a stable `code` (snake case), which is the same in REST
problems, SOAP faults, SFTP status texts, the CLI and the ledger, and is listed in docs/reference/errors.md.
A message never holds personal data: name the field, not its value.
"""

from datetime import datetime
from typing import ClassVar

from kernel.ids import AgreementId


class PlatformError(Exception):
    """message   one sentence: what is wrong (no personal data)
    remedy    one sentence: what to do next
    rule      which rule decided it, when one did (for instance `agreement.valid_to`)
    owner     whose rule that is (for instance `municipality 29189846`)
    left      how much is left of what the rule counts
    ends      when the agreement that the call was judged by is over
    next      the earliest time at which the same call may get through
    agreement, municipality_cvr   the agreement that the refusal is about, and whose it is; for the record
    """

    code: ClassVar[str] = "platform_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        rule: str | None = None,
        owner: str | None = None,
        retry_after_s: int | None = None,
        left: int | None = None,
        ends: datetime | None = None,
        next: datetime | None = None,  # noqa: A002 as the problem document calls it
        agreement: AgreementId | None = None,
        municipality_cvr: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.rule = rule
        self.owner = owner
        self.retry_after_s = retry_after_s
        self.left, self.ends, self.next = left, ends, next
        self.agreement, self.municipality_cvr = agreement, municipality_cvr


class CallerMistake(PlatformError):
    code = "caller_mistake"
    status = 400
    title = "The call cannot be answered as it is"


class RequestInvalid(CallerMistake):
    code = "request_invalid"
    title = "The request cannot be understood"


class NotIdentified(CallerMistake):
    code = "not_identified"
    status = 401
    title = "The caller is not known"


class NotAllowed(CallerMistake):
    code = "not_allowed"
    status = 403
    title = "No agreement carries this call"


class NotFound(CallerMistake):
    code = "not_found"
    status = 404
    title = "There is no such thing"


class TryAgainLater(PlatformError):
    code = "try_again_later"
    status = 503
    title = "Not just now"


class OperatorMistake(PlatformError):
    code = "operator_mistake"
    title = "Something about the instance must be mended"


class DataRefused(PlatformError):
    code = "data_refused"
    title = "A delivery was refused"


class HouseFault(PlatformError):
    code = "house_fault"
    title = "A fault of ours"
