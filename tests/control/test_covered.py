"""When an agreement carries calls: stretches made beforehand say what its parts say at each moment."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from control.agreements import Agreement, State
from control.covered import Covered, stretches_of
from control.organisations import OrganisationState
from kernel import AgreementId, Grant, OrganisationId, ServiceName, SystemId, Window
from tests.control.builders import terms

BEGAN = datetime(2031, 1, 1, tzinfo=UTC)

hours = st.integers(0, 12)
windows = st.builds(
    lambda start, length: Window(
        BEGAN + timedelta(hours=start), None if length is None else BEGAN + timedelta(hours=start + length)
    ),
    hours,
    st.none() | hours,
)


@given(
    valid=windows,
    processing=st.none() | st.lists(windows, max_size=3).map(tuple),
    state=st.sampled_from(State),
    standing=st.sampled_from(OrganisationState),
    sound=st.booleans(),
    hour=hours,
)
def test_it_carries_calls_when_all_that_is_needed_is_there(
    valid: Window,
    processing: tuple[Window, ...] | None,
    state: State,
    standing: OrganisationState,
    sound: bool,
    hour: int,
) -> None:
    agreement = Agreement(
        id=AgreementId("a"), municipality=OrganisationId("m"), system=SystemId("s"), terms=terms(), terms_hash="0",
        valid=valid, state=state, since=BEGAN, sound=sound,
    )  # fmt: skip
    grant = Grant(
        agreement=agreement.id, system=agreement.system, municipality=agreement.municipality,
        municipality_cvr="29189420", service=ServiceName("x"), valid=valid, terms_hash="0",
    )  # fmt: skip
    covered = Covered(agreement, grant, processing, standing, stretches_of(agreement, processing, standing))
    at = BEGAN + timedelta(hours=hour)
    served = processing is None or any(at in window for window in processing)
    assert covered.live(at) == (agreement.live(at) and served and standing is OrganisationState.CONFIRMED)
