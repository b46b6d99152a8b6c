"""Live services over the wire: redirect and pass-through, with a real source beside, and what happens when it fails."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from api import make_app
from integrations import FUNCTIONS, Breaker
from integrations.components.person import age_on
from kernel import COPENHAGEN, CallAnswered, CallRefused, RowsDelivered
from schemas import COMPONENTS, Registers
from tests.api.house import ANNA, NOBODY, Client, House, Reply, serving
from tests.api.live_house import LIVE, SourceSystem, agree_on, live_doors, source_system, with_services
from tests.ports import free_port
from tests.waiting import eventually
from usage import subject_hash
from usage.untaken import read_untaken

PASS = "service_type: {}\nintegration_type: pass-through\npass_through: {{source: korsbaek, path: {}, methods: {}{}}}\n"
OWN = {
    "live_echo": PASS.format(
        "function", "/echo", "[GET, POST]",
        ", query: [page], request_headers: [accept-language], tell: [municipality, system, agreement], deadline_s: 20",
    ),
    "live_bytes": PASS.format("extract", "/bytes", "[GET]", ", query: [count], deadline_s: 10.0"),
    "live_small": PASS.format("extract", "/bytes", "[GET]", ", query: [count], most_response_bytes: 100000"),
    "live_quick": PASS.format("function", "/echo", "[POST]", ", deadline_s: 0.3"),
    "live_hedged": PASS.format("lookup", "/residents", "[POST]", ", hedge_after_s: 0.1, deadline_s: 10.0"),
    "live_soap": PASS.format("function", "/soap", "[POST]", ", request_headers: [soapaction], deadline_s: 5.0"),
    "live_hasty": "service_type: function\nintegration_type: orchestration\norchestration:\n"
    "  input: {pnr: '[0-9]{10}'}\n"
    "  deadline_s: 2.0\n  steps:\n    resident: {service: live-hedged, body: '{pnr: input.pnr}', required: false}\n"
    "    person: {service: cpr-persons, key: input.pnr}\n  answer: person.status\n",
    "live_nowhere": PASS.format("function", "/x", "[POST]", "").replace("korsbaek", "nowhere"),
}  # fmt: skip
NAMES = (*LIVE, *(name.replace("_", "-") for name in OWN), "cpr-persons", "municipalities")


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Registers:
    return with_services(tmp_path_factory.mktemp("services"), **OWN)


@pytest.fixture(scope="module")
def source(standing: tuple[House, int]) -> Iterator[SourceSystem]:
    with source_system(standing[0]) as running:
        yield running


@pytest.fixture(scope="module")
def live(standing: tuple[House, int], source: SourceSystem, registers: Registers) -> Iterator[tuple[House, int]]:
    """The house, and the port of a server that knows the source."""
    house = standing[0]
    agree_on(house, "live", *NAMES)
    agree_on(house, "narrow", "korsbaek-residents", columns=frozenset({"pnr"}))
    with serving(house, make_app(live_doors(house, source.url, registers))) as (_, port):
        yield house, port


@pytest.fixture
def asks(live: tuple[House, int], house: House, source: SourceSystem) -> Iterator[Client]:
    with ExitStack() as stack:
        made = Client(*live, "live")
        stack.callback(made.close)
        stack.callback(source.mend)
        yield made


def resident(client: Client, pnr: str = ANNA, **headers: str) -> Reply:
    return client.post("/v1/services/korsbaek-residents/call", {"pnr": pnr}, **headers)


class TestRedirect:
    def test_it_answers_where_the_service_is(self, asks: Client, source: SourceSystem, house: House) -> None:
        reply = asks.get("/v1/services/korsbaek-places/call")
        assert (reply.status, reply.headers["location"]) == (307, f"{source.url}/places")
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.status, fact.operation.value, fact.snapshot) == (307, "call", None)

    def test_location_tells_the_same_as_a_document(self, asks: Client, source: SourceSystem) -> None:
        reply = asks.get("/v1/services/korsbaek-places/location")
        assert reply.status == 200
        assert reply.json["location"] == f"{source.url}/places"
        assert reply.json["permanent"] is False

    def test_nothing_of_the_request_gets_into_the_location(self, asks: Client, source: SourceSystem) -> None:
        reply = asks.get("/v1/services/korsbaek-places/call?next=https://elsewhere.invalid/")
        assert reply.headers["location"] == f"{source.url}/places"

    def test_without_an_agreement_nobody_is_told(self, live: tuple[House, int], house: House) -> None:
        with ExitStack() as stack:
            other = Client(*live, "lonely")
            stack.callback(other.close)
            reply = other.get("/v1/services/korsbaek-places/call")
        assert reply.status == 403
        assert "location" not in reply.headers


class TestPassThrough:
    def test_the_sources_answer_comes_back(self, asks: Client, house: House) -> None:
        reply = resident(asks)
        assert reply.status == 200
        assert reply.json == {"resident": {"pnr": ANNA, "status": "01", "municipality_code": "0461"}}
        assert reply.headers["knudepunkt-answered-by"] == "source"
        assert reply.headers["etag"] == '"1"'
        assert reply.headers["cache-control"] == "no-store"

    def test_four_time_stamps_are_on_record_and_on_the_answer(self, asks: Client, house: House) -> None:
        reply = resident(asks)
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        timing = fact.timing
        assert 0 < timing.to_source_us < timing.from_source_us <= timing.out_us
        told = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
        assert float(told["to-source"]) == timing.to_source_us / 1_000
        assert float(told["source"]) == (timing.from_source_us - timing.to_source_us) / 1_000
        assert float(told["out"]) == timing.out_us / 1_000
        lines = [
            json.loads(line)
            for path in house.root.glob("ledger/open/*.jsonl")
            for line in path.read_text().splitlines()
        ]
        (line,) = [line for line in lines if line.get("event") == fact.event]
        assert (line["to_source_us"], line["total_us"]) == (timing.to_source_us, timing.out_us)

    def test_what_is_on_record_can_be_counted(self, asks: Client, house: House) -> None:
        resident(asks)
        asks.post("/v1/services/korsbaek-overview/call", {"pnr": ANNA})
        asks.get("/v1/services/live-bytes/call?count=100000")
        found = read_untaken(house.root / "ledger")
        assert found.left_out == ()
        assert {"korsbaek-residents", "korsbaek-overview", "live-bytes"} <= set(found.rows["service"].to_pylist())

    def test_whom_it_was_about_is_on_record_as_a_hash(self, asks: Client, house: House) -> None:
        resident(asks)
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert fact.subjects == (ANNA,)
        written = "".join(path.read_text() for path in house.root.glob("ledger/open/*.jsonl"))
        assert ANNA not in written
        assert subject_hash(b"k" * 32, ANNA) in written

    def test_only_declared_fields_leave_and_come_back(self, asks: Client, house: House) -> None:
        reply = asks.get(
            "/v1/services/live-echo/call?page=2",
            Accept_Language="da", Cookie="a=1", Authorization="Bearer x", Forwarded="for=1.2.3.4", X_Own="1",
        )  # fmt: skip
        sent = reply.json["headers"]
        assert reply.json["query"] == {"page": "2"}
        assert sent.keys() == {
            "host", "accept", "user-agent", "connection", "accept-encoding", "accept-language", "traceparent",
            "knudepunkt-municipality", "knudepunkt-system", "knudepunkt-agreement",
        }  # fmt: skip
        assert sent["traceparent"].split("-")[1] == reply.headers["knudepunkt-trace"]
        assert sent["knudepunkt-municipality"] == "29189420"
        assert not {"set-cookie", "x-inner", "server"} & reply.headers.keys()

    @pytest.mark.parametrize(
        "path", ["call/..", "call/../faults", "call//", "call%2f..%2ffaults", "call/@evil.invalid"]
    )
    def test_a_path_leads_nowhere_but_where_it_is_declared(self, asks: Client, path: str) -> None:
        assert asks.get(f"/v1/services/live-echo/{path}").status == 404

    def test_a_parameter_that_is_not_declared_is_refused_by_name(self, asks: Client) -> None:
        reply = asks.get("/v1/services/live-echo/call?url=https://inner.invalid/")
        assert (reply.status, reply.code) == (400, "parameter_invalid")

    def test_a_method_that_is_not_declared_is_refused(self, asks: Client) -> None:
        reply = asks.call("DELETE", "/v1/services/live-echo/call")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")

    def test_a_large_body_is_streamed_up(self, asks: Client) -> None:
        reply = asks.call("POST", "/v1/services/live-echo/call", b"x" * 900_000)
        assert reply.json["bytes"] == 900_000
        assert reply.json["headers"]["content-length"] == "900000"

    def test_a_body_in_pieces_is_streamed_up(self, asks: Client) -> None:
        reply = asks.send_pieces("/v1/services/live-echo/call", [b"x" * 50_000] * 10, {"Content-Type": "text/plain"})
        assert reply.json["bytes"] == 500_000

    def test_a_body_larger_than_declared_is_refused(self, asks: Client, house: House) -> None:
        reply = asks.call("POST", "/v1/services/live-echo/call", b"x" * 1_100_000)
        assert (reply.status, reply.code) == (413, "body_too_large")

    def test_a_large_answer_is_streamed_down_and_its_end_is_on_record(self, asks: Client, house: House) -> None:
        reply = asks.get("/v1/services/live-bytes/call?count=5000000")
        assert (len(reply.body), reply.headers["content-length"]) == (5_000_000, "5000000")
        fact = house.facts[-1]
        assert isinstance(fact, RowsDelivered)
        assert (fact.size_bytes, fact.whole, fact.operation.value) == (5_000_000, True, "call")

    def test_an_answer_that_breaks_off_after_it_began_is_cut_and_on_record_as_such(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers
    ) -> None:
        # Of a source that is never through: the answer ends where the service's bound is.
        source.fault("huge", "/bytes")
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                client.get("/v1/services/live-bytes/call?count=1")
        source.mend()
        fact = house.facts[-1]
        assert isinstance(fact, RowsDelivered)
        assert not fact.whole
        assert 1_000_000 < fact.size_bytes <= 16_777_216

    def test_a_caller_that_reads_nothing_gives_its_place_back(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers
    ) -> None:
        doors = replace(live_doors(house, source.url, registers, at_once=1), stall_s=0.5)
        with serving(house, make_app(doors)) as (_, port), ExitStack() as stack:
            lazy, other = Client(house, port, "live"), Client(house, port, "live")
            stack.callback(lazy.close)
            stack.callback(other.close)
            connection = lazy.connected()
            connection.request("GET", "/v1/services/live-bytes/call?count=16000000")
            # It has its place once the answer begins.
            assert connection.getresponse().status == 200
            eventually(lambda: resident(other, Cache_Control="no-cache").status == 200)
        (fact,) = (fact for fact in house.facts if isinstance(fact, RowsDelivered))
        assert not fact.whole

    def test_an_answer_larger_than_declared_is_refused(self, asks: Client) -> None:
        reply = asks.get("/v1/services/live-small/call?count=100001")
        assert (reply.status, reply.code) == (502, "source_answer_invalid")

    def test_an_update_goes_to_the_source_with_its_condition(self, asks: Client) -> None:
        path, order = "/v1/services/korsbaek-orders/call", {"reference": "a-1", "what": "a bin"}
        made = asks.post(path, order)
        assert (made.status, made.headers["etag"]) == (201, '"1"')
        body, kind = json.dumps(order).encode(), {"Content-Type": "application/json"}
        assert asks.call("PUT", path, body, {**kind, "If-Match": '"0"'}).status == 412
        assert asks.call("PUT", path, body, {**kind, "If-Match": '"1"'}).status == 200

    def test_soap_passes_as_it_is(self, asks: Client) -> None:
        envelope = (
            b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><A>7</A></s:Body></s:Envelope>'
        )
        reply = asks.call(
            "POST", "/v1/services/live-soap/call", envelope, {"Content-Type": "text/xml", "SOAPAction": '"a"'}
        )
        assert reply.headers["content-type"].startswith("text/xml")
        assert b"<Echo><A>7</A></Echo>" in reply.body

    def test_what_the_source_refuses_comes_back_as_it_is(self, asks: Client) -> None:
        reply = resident(asks, "12")
        assert (reply.status, reply.json) == (422, {"error": "pnr has ten digits"})

    def test_an_agreement_that_narrows_does_not_carry_it(self, live: tuple[House, int], house: House) -> None:
        with ExitStack() as stack:
            narrow = Client(*live, "narrow")
            stack.callback(narrow.close)
            reply = resident(narrow)
        assert (reply.status, reply.code) == (403, "narrowed_too_far")


class TestFaults:
    @pytest.mark.parametrize(
        ("mode", "status", "code"),
        [
            ("slow", 504, "source_too_slow"),
            ("drips", 504, "source_too_slow"),
            ("silent", 502, "source_unreachable"),
            ("hangs-up", 502, "source_unreachable"),
            ("fails", 502, "source_failed"),
            ("malformed", 502, "source_answer_invalid"),
            ("elsewhere", 502, "source_answer_invalid"),
        ],
    )
    def test_a_source_that_fails_is_a_refusal_of_its_own_kind(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers, mode: str, status: int,
        code: str,
    ) -> None:  # fmt: skip
        # A server of its own, since every one of them brings the breaker closer.
        source.fault(mode, "/echo", seconds=1.0)
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            # Only those that are to be too slow are hurried: the others answer at once, however long that takes here.
            service = "live-quick" if code == "source_too_slow" else "live-echo"
            reply = client.post(f"/v1/services/{service}/call", {"pnr": ANNA})
        source.mend()
        assert (reply.status, reply.code) == (status, code)
        assert "Secret" not in reply.body.decode()
        assert reply.json["owner"] == "the source"
        fact = house.facts[-1]
        assert isinstance(fact, CallRefused)
        assert fact.code == code

    @pytest.mark.parametrize("mode", ["silent", "hangs-up", "fails", "malformed", "slow"])
    def test_a_lookup_with_a_replica_is_answered_from_there_and_says_so(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers, mode: str
    ) -> None:
        source.fault(mode, "/residents", seconds=3.0)
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            reply = resident(client)
            missing = resident(client, NOBODY)
            too_old = resident(client, Cache_Control="max-age=60")
            old_enough = resident(client, Cache_Control="max-age=90000")
        source.mend()
        assert reply.json == {"resident": {"pnr": ANNA, "status": "01", "municipality_code": "0851"}}
        assert reply.headers["knudepunkt-answered-by"].startswith("replica;why=source_")
        assert 3_590 < int(reply.headers["age"]) < 90_000
        assert reply.headers["knudepunkt-snapshot"]
        assert (missing.status, missing.json) == (404, {"resident": None})
        assert (too_old.status, too_old.code) == (503, "replica_too_old")
        assert old_enough.status == 200

    def test_one_failure_in_between_is_tried_again(self, asks: Client, source: SourceSystem) -> None:
        assert resident(asks).status == 200
        source.fault("silent", "/residents", every=2)
        for _ in range(3):
            assert resident(asks).headers["knudepunkt-answered-by"] == "source"

    def test_an_update_that_may_have_arrived_is_not_sent_again(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers
    ) -> None:
        source.fault("silent", "/orders", every=2)
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            reply = client.post("/v1/services/korsbaek-orders/call", {"reference": "b-1"})
        source.mend()
        assert (reply.status, reply.code) == (502, "source_unreachable")

    def test_a_second_request_is_sent_where_that_is_declared(self, asks: Client, source: SourceSystem) -> None:
        source.fault("slow", "/residents", every=2, seconds=9.0)
        reply = asks.post("/v1/services/live-hedged/call", {"pnr": ANNA})
        assert reply.status == 200
        told = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
        assert float(told["source"]) < 9_000

    def test_a_breaker_opens_and_others_go_on(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        source.fault("silent", "/echo")
        # So that its rest is not over before the last of the calls is made.
        monkeypatch.setattr("integrations.breakers.Breaker", partial(Breaker, shortest_s=60.0, longest_s=600.0))
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            codes = [client.post("/v1/services/live-echo/call", {}).code for _ in range(6)]
            told = client.post("/v1/services/live-echo/call", {})
            lookup = client.lookup("cpr-persons", {"key": ANNA})
        source.mend()
        assert codes == ["source_unreachable"] * 5 + ["source_resting"]
        assert told.status == 503
        assert 1 <= int(told.headers["retry-after"]) <= 60
        assert lookup.status == 200

    def test_a_source_that_nobody_told_of_says_so(self, asks: Client) -> None:
        reply = asks.post("/v1/services/live-nowhere/call", {})
        assert (reply.status, reply.code) == (503, "source_not_configured")


class TestStub:
    def test_a_test_environment_without_the_source_answers_from_the_stub(
        self, live: tuple[House, int], house: House, registers: Registers
    ) -> None:
        app = make_app(live_doors(house, None, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            reply = resident(client, NOBODY)
        assert reply.json["resident"]["pnr"] == ANNA
        assert reply.headers["knudepunkt-answered-by"] == "stub"


class TestOrchestration:
    def test_three_services_are_one_answer_and_four_lines_of_the_ledger(self, asks: Client, house: House) -> None:
        reply = asks.post("/v1/services/korsbaek-overview/call", {"pnr": ANNA})
        assert reply.status == 200, reply.body
        assert reply.json["answer"]["municipality"] == "Aalborg"
        assert reply.json["answer"]["known_in_korsbaek"] == "01"
        answered = [fact for fact in house.facts if isinstance(fact, CallAnswered)]
        assert {fact.service for fact in answered} == {
            "korsbaek-overview", "cpr-persons", "municipalities", "korsbaek-residents",
        }  # fmt: skip
        assert len({fact.trace for fact in answered}) == 1
        assert {fact.subjects for fact in answered if fact.service in {"cpr-persons", "korsbaek-residents"}} == {
            (ANNA,)
        }
        whole = answered[-1]
        assert whole.service == "korsbaek-overview"
        assert whole.timing.from_source_us > whole.timing.to_source_us > 0

    def test_a_slow_step_is_given_up_and_on_record(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers
    ) -> None:
        source.fault("slow", "/residents", seconds=9.0)
        app = make_app(live_doors(house, source.url, registers))
        with serving(house, app) as (_, port), ExitStack() as stack:
            client = Client(house, port, "live")
            stack.callback(client.close)
            reply = client.post("/v1/services/live-hasty/call", {"pnr": ANNA})
        source.mend()
        assert reply.json["failures"] == {"resident": "source_too_slow"}
        refused = [fact for fact in house.facts if isinstance(fact, CallRefused)]
        assert [(fact.service, fact.code, fact.subjects) for fact in refused] == [
            ("live-hedged", "source_too_slow", ()),
        ]


class TestComponents:
    @pytest.mark.parametrize(
        ("pnr", "valid", "right", "gender"),
        [("0101701234", True, False, "female"), ("0707614285", True, True, "male"), ("3202701234", False, None, None),
         ("12", False, None, None)],
    )  # fmt: skip
    def test_a_personal_number_is_judged_without_looking_anybody_up(
        self, asks: Client, house: House, pnr: str, valid: bool, right: bool | None, gender: str | None
    ) -> None:
        reply = asks.post("/v1/services/cpr-number-check/call", {"pnr": pnr})
        assert (reply.json["valid"], reply.json["check_digit"], reply.json["gender"]) == (valid, right, gender)
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert fact.subjects == (pnr,)

    @pytest.mark.parametrize(("cvr", "valid"), [("10150817", True), ("10150818", False), ("1015081", False)])
    def test_a_company_number_is_judged(self, asks: Client, cvr: str, valid: bool) -> None:
        assert asks.post("/v1/services/cvr-number-check/call", {"cvr": cvr}).json["valid"] is valid

    def test_municipality_and_age_and_nothing_else_leave_the_house(self, asks: Client, house: House) -> None:
        reply = asks.post("/v1/services/cpr-person-municipality/call", {"pnr": ANNA})
        today = house.facts[-1].at.astimezone(COPENHAGEN).date()
        assert reply.json == {
            "municipality_code": "0851", "municipality": "Aalborg", "age": age_on(date(1970, 1, 1), today),
            "uncertain": False, "alive": True,
        }  # fmt: skip
        assert reply.headers["knudepunkt-snapshot"]
        fact = house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert fact.subjects == (ANNA,)
        assert asks.post("/v1/services/cpr-person-municipality/call", {"pnr": NOBODY}).code == "record_unknown"

    def test_a_class_comes_with_those_above_and_below(self, asks: Client, house: House) -> None:
        began, ended = date(2020, 1, 1), date(2024, 12, 31)
        rows = [
            {"code": code, "scheme": "subject", "level": level, "parent": parent, "title": f"Emne {code}",
             "valid_from": began, "valid_to": end}
            for code, level, parent, end in (
                ("01", 1, None, None), ("01.02", 2, "01", None), ("01.02.03", 3, "01.02", None),
                ("01.02.04", 3, "01.02", ended), ("01.03", 2, "01", None),
            )
        ]  # fmt: skip
        house.publish("classification.classes", rows)
        path = "/v1/services/class-hierarchy/call"
        found = asks.post(path, {"code": "01.02"}).json
        assert [each["code"] for each in found["above"]] == ["01"]
        assert [each["code"] for each in found["below"]] == ["01.02.03"]
        then = asks.post(path, {"code": "01.02", "on": "2024-12-31"}).json
        assert [each["code"] for each in then["below"]] == ["01.02.03", "01.02.04"]
        assert asks.post(path, {"code": "01.02.04"}).code == "record_unknown"
        assert asks.post(path, {"code": "01.02", "on": "soon"}).code == "input_invalid"

    def test_what_it_does_not_take_is_refused_by_name_alone(self, asks: Client) -> None:
        reply = asks.post("/v1/services/cpr-number-check/call", {"number": ANNA})
        assert (reply.status, reply.code) == (400, "input_invalid")
        assert ANNA not in reply.body.decode()


def test_every_component_that_a_descriptor_can_name_is_there() -> None:
    assert FUNCTIONS.keys() == COMPONENTS.keys()
    assert all(COMPONENTS.values())


class TestASourceThatIsLost:
    def test_a_slow_source_takes_its_own_places_and_nobody_elses(
        self, live: tuple[House, int], house: House, source: SourceSystem, registers: Registers
    ) -> None:
        source.fault("slow", "/echo", seconds=60.0)
        app = make_app(live_doors(house, source.url, registers, at_once=2, wait_s=0.1))
        replies: list[Reply] = []
        with serving(house, app) as (_, port), ExitStack() as stack:
            clients = [Client(house, port, "live") for _ in range(9)]
            for each in clients:
                stack.callback(each.close)

            def call(client: Client) -> None:
                replies.append(client.post("/v1/services/live-echo/call", {}))

            threads = [threading.Thread(target=call, args=(client,)) for client in clients[1:]]
            for thread in threads:
                thread.start()
            lookups = [clients[0].lookup("cpr-persons", {"key": ANNA}).status for _ in range(20)]
            waiting = sum(thread.is_alive() for thread in threads)
            eventually(lambda: len(replies) == 6)
            source.mend()
            for thread in threads:
                thread.join()
        assert lookups == [200] * 20
        assert waiting >= 2, "lookups were answered while the source was slow"
        assert sorted(reply.status for reply in replies) == [200] * 2 + [503] * 6
        assert {reply.code for reply in replies if reply.status == 503} == {"source_busy"}

    def test_a_source_that_is_killed_is_missed_by_nobody_who_has_a_replica(
        self, live: tuple[House, int], house: House, registers: Registers
    ) -> None:
        port_of_source = free_port()
        with source_system(house, port_of_source) as mine, ExitStack() as stack:
            _, port = stack.enter_context(serving(house, make_app(live_doors(house, mine.url, registers))))
            client = Client(house, port, "live")
            stack.callback(client.close)
            by = [resident(client).headers["knudepunkt-answered-by"]]
            mine.kill()
            replies = [resident(client) for _ in range(30)]
            refused = client.post("/v1/services/live-echo/call", {})
            lookup = client.lookup("cpr-persons", {"key": ANNA})
            stack.enter_context(source_system(house, port_of_source))
            eventually(lambda: resident(client).headers["knudepunkt-answered-by"] == "source")
        assert by == ["source"]
        assert {reply.status for reply in replies} == {200}
        told = [reply.headers["knudepunkt-answered-by"] for reply in replies]
        assert told[0] == "replica;why=source_unreachable"
        # Now and then one of them tries whether it is back.
        assert set(told) == {"replica;why=source_unreachable", "replica;why=source_resting"}
        assert refused.code in {"source_resting", "source_unreachable"}
        assert lookup.status == 200
