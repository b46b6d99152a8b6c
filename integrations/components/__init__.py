"""Components: functions that come with the platform. A descriptor names one; what is not in this table does not run."""

from collections.abc import Callable, Mapping
from typing import Final

from integrations.asked import Road
from integrations.carried import Carried
from integrations.components.classes import class_in_hierarchy
from integrations.components.echo import echo
from integrations.components.events import event_broker
from integrations.components.exchange import file_exchange
from integrations.components.master import master_records
from integrations.components.numbers import check_cpr_number, check_cvr_number
from integrations.components.person import municipality_and_age
from schemas import MASTER, Component

FUNCTIONS: Final[Mapping[str, Callable[[Carried], Road]]] = {
    "cpr-number-check": check_cpr_number,
    "cvr-number-check": check_cvr_number,
    "municipality-and-age": municipality_and_age,
    "class-hierarchy": class_in_hierarchy,
    "echo": echo,
    "event-broker": event_broker,
    MASTER: master_records,
    "file-exchange": file_exchange,
}


def component(carried: Carried) -> Road:
    live = carried.service.live
    assert isinstance(live, Component)  # noqa: S101  as the descriptor's review holds
    return (yield from FUNCTIONS[live.name](carried))
