"""The life of a delivery, as a table. Pure.

A delivery is planned, its file is produced, it is sent, and the receiver confirms it. What fails is tried again; what
has failed too often is dead, and waits for somebody. Until a delivery is sent, the later ones of its subscription wait.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from extract.delivery.faults import DeliveryStepRefused


class State(StrEnum):
    """SENT   at the receiver, or ready on the shelf; nobody has said yet that it was taken"""

    PLANNED = "planned"
    PRODUCED = "produced"
    SENDING = "sending"
    SENT = "sent"
    RECEIVED = "received"
    FAILED = "failed"
    DEAD = "dead"
    WITHHELD = "withheld"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """PRODUCE     the file is there and described
    SEND        the first byte may leave
    ARRIVE      it is whole at the receiver, or on the shelf
    CONFIRM     the receiver has taken it
    REJECT      the receiver has it, and says that it is damaged
    FAIL        this attempt came to nothing; another one follows
    GIVE_UP     ... and none follows
    WITHHOLD    no agreement carries it now, or its limits have no room: nothing leaves
    SUPERSEDE   nobody took it, and a later one holds what it held
    REDELIVER   somebody asked for it once more
    CANCEL      nobody wants it any more
    """

    PRODUCE = "produce"
    SEND = "send"
    ARRIVE = "arrive"
    CONFIRM = "confirm"
    REJECT = "reject"
    FAIL = "fail"
    GIVE_UP = "give up"
    WITHHOLD = "withhold"
    SUPERSEDE = "supersede"
    REDELIVER = "redeliver"
    CANCEL = "cancel"


_TRIED: Final = {Step.FAIL: State.FAILED, Step.GIVE_UP: State.DEAD, Step.WITHHOLD: State.WITHHELD}
_CANCEL: Final = {Step.CANCEL: State.CANCELLED}
_AGAIN: Final = {Step.REDELIVER: State.PLANNED}

TRANSITIONS: Final[Mapping[State, Mapping[Step, State]]] = {
    State.PLANNED: {Step.PRODUCE: State.PRODUCED, **_TRIED, **_CANCEL},
    # Produced once more: what the agreement lets out can have changed since.
    State.PRODUCED: {
        Step.PRODUCE: State.PRODUCED, Step.SEND: State.SENDING, Step.ARRIVE: State.SENT, **_TRIED, **_CANCEL,
    },
    # A sender that died leaves this state behind; the next one begins with the file again.
    State.SENDING: {Step.PRODUCE: State.PRODUCED, Step.ARRIVE: State.SENT, **_TRIED, **_CANCEL},
    State.FAILED: {Step.PRODUCE: State.PRODUCED, Step.ARRIVE: State.SENT, **_TRIED, **_CANCEL, **_AGAIN},
    State.WITHHELD: {Step.PRODUCE: State.PRODUCED, **_TRIED, **_CANCEL, **_AGAIN},
    State.DEAD: {**_CANCEL, **_AGAIN},
    # Given up by the receiver: its receipt says why, and sending it again would not help.
    State.SENT: {
        Step.CONFIRM: State.RECEIVED, Step.REJECT: State.FAILED, Step.GIVE_UP: State.DEAD,
        Step.SUPERSEDE: State.SUPERSEDED, **_CANCEL, **_AGAIN,
    },
    State.RECEIVED: {Step.CONFIRM: State.RECEIVED, **_AGAIN},
    State.SUPERSEDED: {Step.CONFIRM: State.RECEIVED},
    State.CANCELLED: {},
}  # fmt: skip

HOLDING: Final = frozenset(
    {State.PLANNED, State.PRODUCED, State.SENDING, State.FAILED, State.DEAD, State.WITHHELD}
)  # fmt: skip
"""States in which a delivery holds back the later ones of its subscription."""
CLAIMABLE: Final = HOLDING - {State.DEAD}
OPEN: Final = HOLDING | {State.SENT}
"""States in which the receiver may still want the file."""


def after(state: State, step: Step) -> State:
    """The state after a step. Raises DeliveryStepRefused."""
    following = TRANSITIONS[state].get(step)
    if following is None:
        raise DeliveryStepRefused(
            f"a delivery that is {state} cannot take the step '{step}'",
            remedy="see `knudepunkt delivery show`: it tells the delivery's state and what led to it",
            rule="delivery.state",
        )
    return following
