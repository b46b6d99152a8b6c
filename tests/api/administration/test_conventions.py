"""What every path of the administration has in common: keys, ETags, pages, refusals, headers."""

import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control import ControlStore, Systems
from control.audit import load_entries
from control.errors import RepeatUnanswered
from control.repeats import Once, Repeats
from kernel import SystemId
from tests.api.administration.staff import ADMIN, RIVAL, Office, signing_request
from tests.api.house import SUPPLIER, Client, Reply
from tests.described import check

WHO = "supplier-user"


@pytest.fixture
def systems(office: Office) -> str:
    return f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/systems"


def wanted(**more: Any) -> dict[str, Any]:
    return {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk", **more}


def count(office: Office) -> int:
    return len(office.house.control.systems())


class TestAKey:
    def test_makes_a_thing_once_and_gives_the_answer_again(self, office: Office, systems: str) -> None:
        asked, key = wanted(), str(uuid4())
        first = office.post(WHO, systems, asked, Idempotency_Key=key)
        before = count(office)
        again = office.post(WHO, systems, asked, Idempotency_Key=f'"{key}"')
        assert (first.status, again.status) == (201, 201)
        assert again.body == first.body
        assert (again.headers["location"], again.headers["etag"]) == (first.headers["location"], first.headers["etag"])
        assert count(office) == before

    def test_stands_for_one_request(self, office: Office, systems: str) -> None:
        key = str(uuid4())
        office.post(WHO, systems, wanted(), Idempotency_Key=key)
        before = count(office)
        reply = office.post(WHO, systems, wanted(), Idempotency_Key=key)
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
        assert count(office) == before

    def test_is_ones_own(self, office: Office, systems: str) -> None:
        key, asked = str(uuid4()), {"name": "Ny", "email": f"{uuid4().hex}@example.dk", "roles": ["user"]}
        office.post(WHO, systems, wanted(), Idempotency_Key=key)
        users = systems.replace("systems", "users")
        assert office.post("supplier-administrator", users, asked, Idempotency_Key=key).status == 201

    def test_that_was_refused_can_be_used_again(self, office: Office, systems: str) -> None:
        key, asked = str(uuid4()), wanted()
        assert office.post(WHO, systems, asked | {"contact": ""}, Idempotency_Key=key).status == 400
        assert office.post(WHO, systems, asked, Idempotency_Key=key).status == 201

    @pytest.mark.parametrize("key", ["", '""', "x" * 256, "with blank"])
    def test_has_a_form(self, office: Office, systems: str, key: str) -> None:
        reply = office.post(WHO, systems, wanted(), Idempotency_Key=key)
        assert (reply.status, reply.code) == (400, "header_invalid")

    def test_gives_a_certificate_once(self, office: Office) -> None:
        system, key = office.system(uuid4().hex), str(uuid4())
        asked = {"signing_request": signing_request()[0]}
        path = f"{ADMIN}/systems/{system}/certificates"
        first, again = (office.post(WHO, path, asked, Idempotency_Key=key) for _ in range(2))
        assert first.status == 201
        assert first.json["chain"] == again.json["chain"]
        assert len(office.get(WHO, path).json["items"]) == 1

    def test_lets_one_of_many_at_the_same_time_through(self, office: Office, systems: str) -> None:
        asked, key = wanted(), str(uuid4())
        replies: list[Reply] = []

        def ask() -> None:
            client = Client(office.house, office.port, WHO)
            replies.append(client.post(systems, asked, Idempotency_Key=key))
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        made = [each for each in replies if each.status == 201]
        assert made
        assert len({each.body for each in made}) == 1
        assert {each.code for each in replies if each.status != 201} <= {"idempotency_unanswered"}
        assert sum(each.name == asked["name"] for each in office.house.control.systems()) == 1

    def test_and_its_change_are_one(self, office: Office) -> None:
        # As when the process ends between the change and the answer.
        control = office.house.control
        once = Once.of("somebody", str(uuid4()), "POST", "/here", b"{}")
        repeats = Repeats(control)
        organisation: Any = office.organisation(SUPPLIER)

        def store() -> ControlStore:
            return control.acting(control.actor, first=lambda db: repeats.take(db, once))

        Systems(store()).register(organisation, uuid4().hex, purpose="prøve", contact="x")
        with pytest.raises(RepeatUnanswered):
            repeats.answered(once)
        before = count(office)
        with pytest.raises(RepeatUnanswered):
            Systems(store()).register(organisation, uuid4().hex, purpose="prøve", contact="x")
        assert count(office) == before


class TestAVersion:
    def test_must_be_named_by_whoever_changes_a_thing(self, office: Office) -> None:
        path = f"{ADMIN}/systems/{office.system(uuid4().hex)}"
        reply = office.patch(WHO, path, {"purpose": "anden"})
        assert (reply.status, reply.code) == (428, "precondition_missing")
        seen = office.get(WHO, path)
        done = office.patch(WHO, path, {"purpose": "anden"}, If_Match=seen.headers["etag"])
        assert (done.status, done.json["purpose"]) == (200, "anden")
        assert done.headers["etag"] != seen.headers["etag"]
        assert office.get(WHO, path).headers["etag"] == done.headers["etag"]

    def test_that_is_old_changes_nothing(self, office: Office) -> None:
        path = f"{ADMIN}/systems/{office.system(uuid4().hex)}"
        old = office.get(WHO, path).headers["etag"]
        office.patch(WHO, path, {"contact": "en anden"}, If_Match=old)
        for reply in (
            office.patch(WHO, path, {"contact": "en tredje"}, If_Match=old),
            office.post(WHO, f"{path}/retire", If_Match=old),
        ):
            assert (reply.status, reply.code) == (412, "precondition_failed")
        assert office.get(WHO, path).json["contact"] == "en anden"

    @pytest.mark.parametrize("tag", ['W/"0"', "0" * 32, '"x"', '"' + "0" * 31 + '"'])
    def test_has_a_form(self, office: Office, tag: str) -> None:
        path = f"{ADMIN}/systems/{office.system(uuid4().hex)}"
        assert office.patch(WHO, path, {"contact": "en anden"}, If_Match=tag).code == "header_invalid"

    def test_lets_one_of_two_at_the_same_time_through(self, office: Office) -> None:
        path = f"{ADMIN}/systems/{office.system(uuid4().hex)}"
        tag, replies = office.get(WHO, path).headers["etag"], []

        def ask(contact: str) -> None:
            client = Client(office.house, office.port, WHO)
            body = f'{{"contact": "{contact}"}}'.encode()
            replies.append((contact, client.call("PATCH", path, body, {"If-Match": tag})))
            client.close()

        threads = [threading.Thread(target=ask, args=(f"nr {number}",)) for number in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        ((winner, _),) = [each for each in replies if each[1].status == 200]
        assert {each.status for _, each in replies} == {200, 412}
        assert office.get(WHO, path).json["contact"] == winner

    def test_of_many_things_is_looked_at_by_many_at_once(self, office: Office) -> None:
        # More than the database has connections: a look within a change must not need another one.
        paths = [f"{ADMIN}/systems/{office.system(uuid4().hex)}" for _ in range(24)]
        tags = [office.get(WHO, path).headers["etag"] for path in paths]
        replies: list[Reply] = []

        def ask(path: str, tag: str) -> None:
            client = Client(office.house, office.port, WHO)
            replies.append(client.call("PATCH", path, b'{"contact": "en anden"}', {"If-Match": tag}))
            client.close()

        threads = [threading.Thread(target=ask, args=each) for each in zip(paths, tags, strict=True)]
        with office.house.control.noting():
            for each in threads:
                each.start()
            # Now they all wait for their turn to write, each with a connection in its hand.
            time.sleep(1)
        for each in threads:
            each.join()
        assert [each.status for each in replies] == [200] * len(paths)


class TestAPage:
    def test_leads_to_the_next_until_everything_was_seen_once(self, office: Office, systems: str) -> None:
        for _ in range(5):
            office.system(uuid4().hex)
        seen, path = [], f"{systems}?limit=3"
        while True:
            page = office.get(WHO, path).json
            seen += [each["id"] for each in page["items"]]
            assert len(page["items"]) <= 3
            if page["next"] is None:
                break
            path = f"{systems}?limit=3&cursor={page['next']}"
        everything = {each.id for each in office.house.control.systems() if each.organisation in systems}
        assert len(seen) == len(set(seen))
        assert set(seen) == everything

    def test_of_another_list_is_refused(self, office: Office, systems: str) -> None:
        cursor = office.get(WHO, f"{systems}?limit=1").json["next"]
        for path in (f"{ADMIN}/audit", systems.replace("systems", "users"), f"{ADMIN}/inbox"):
            reply = office.get(WHO, f"{path}?cursor={cursor}")
            assert (reply.status, reply.code) == (400, "cursor_unknown")

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(cursor=st.text(alphabet="abcXYZ0189-_=.~", max_size=40))
    def test_that_was_made_up_is_refused(self, office: Office, cursor: str) -> None:
        reply = office.get(WHO, f"{ADMIN}/audit?cursor={cursor}")
        assert (reply.status, reply.code) == (400, "cursor_unknown")

    @pytest.mark.parametrize("limit", ["0", "201", "-1", "1e9", "ti", "", "9" * 30, "٣"])
    def test_has_a_length_that_can_be(self, office: Office, systems: str, limit: str) -> None:
        from urllib.parse import quote

        assert office.get(WHO, f"{systems}?limit={quote(limit)}").code == "parameter_invalid"


class TestTheTrail:
    def test_says_who_when_what_and_from_where(self, office: Office, systems: str) -> None:
        made = office.post(WHO, systems, wanted()).json
        about = f"system {made['id']}".replace(" ", "%20")
        (line,) = office.get(WHO, f"{ADMIN}/audit?about={about}").json["items"]
        assert line["actor"] == f"supplier-user (CVR {SUPPLIER})"
        assert (line["verb"], line["address"]) == ("system.register", "127.0.0.1")
        assert line["organisation"] == office.organisation(SUPPLIER)

    def test_shows_an_organisation_its_own_and_the_operator_everything(self, office: Office, systems: str) -> None:
        office.post(WHO, systems, wanted())
        own = office.get(WHO, f"{ADMIN}/audit?limit=200").json["items"]
        assert {each["organisation"] for each in own} == {office.organisation(SUPPLIER)}
        assert (
            office.get("rival-administrator", f"{ADMIN}/audit?organisation={office.organisation(SUPPLIER)}").status
            == 404
        )
        everything = office.get("operator-person", f"{ADMIN}/audit?limit=200").json["items"]
        assert len({each["organisation"] for each in everything}) > 1
        assert [each["number"] for each in everything] == list(range(1, len(everything) + 1))

    def test_is_whole_and_the_operator_can_see_that(self, office: Office) -> None:
        told = office.get("operator-person", f"{ADMIN}/audit/verification").json
        with office.house.control.reading() as db:
            last = load_entries(db, after=told["entries"] - 1)[-1]
        assert told == {"entries": last.number, "broken_at": None, "last_hash": last.hash}
        assert office.get(WHO, f"{ADMIN}/audit/verification").code == "step_not_yours"

    def test_has_no_line_for_what_was_refused(self, office: Office, systems: str) -> None:
        before = office.get("operator-person", f"{ADMIN}/audit/verification").json["entries"]
        office.post(WHO, systems, wanted(contact=""))
        office.post("data-controller", systems, wanted())
        office.patch(
            WHO,
            f"{ADMIN}/systems/{office.system('seen' + uuid4().hex)}",
            {"contact": "x"},
            If_Match='"' + "0" * 32 + '"',
        )
        assert office.get("operator-person", f"{ADMIN}/audit/verification").json["entries"] == before + 1


class TestTheInbox:
    def test_holds_what_concerns_ones_roles_and_is_read_once(self, office: Office) -> None:
        # Not the supplier, whose systems are let in by a policy that takes a second to hear of the end.
        base = f"{ADMIN}/organisations/{office.organisation(RIVAL)}"
        note = uuid4().hex
        office.post("operator-person", f"{base}/steps", {"step": "suspend", "note": note})
        office.post("operator-person", f"{base}/steps", {"step": "resume", "note": note})
        mine = office.get("rival-administrator", f"{ADMIN}/inbox?unread=true&limit=1").json
        (newest,) = mine["items"]
        assert note in newest["text"]
        assert mine["next"] is not None
        assert note not in office.get(WHO, f"{ADMIN}/inbox?limit=200").body.decode()
        path = f"{ADMIN}/inbox/{newest['id']}"
        for other in (WHO, "supplier-administrator", "data-controller"):
            assert office.get(other, path).code == "unregistered"
            assert office.post(other, f"{path}/read").code == "unregistered"
        assert office.post("rival-administrator", f"{path}/read").json["read"]
        unread = office.get("rival-administrator", f"{ADMIN}/inbox?unread=true&limit=200").json["items"]
        assert newest["id"] not in [each["id"] for each in unread]


class TestEveryAnswer:
    def test_is_kept_by_nobody_and_names_its_trace(self, office: Office, systems: str) -> None:
        for reply in (office.get(WHO, systems), office.get(WHO, "/v1/me"), office.post(WHO, systems, {})):
            assert reply.headers["cache-control"] == "no-store"
            assert len(reply.headers["knudepunkt-trace"]) == 32

    def test_is_what_the_openapi_document_says(self, office: Office, systems: str) -> None:
        document = office.get(None, "/openapi.json").json
        system = office.system(uuid4().hex)
        replies = [
            ("post", f"{ADMIN}/organisations/{{organisation}}/systems", office.post(WHO, systems, wanted())),
            ("get", f"{ADMIN}/organisations/{{organisation}}/systems", office.get(WHO, systems)),
            ("get", f"{ADMIN}/systems/{{system}}", office.get(WHO, f"{ADMIN}/systems/{system}")),
            ("get", f"{ADMIN}/audit", office.get(WHO, f"{ADMIN}/audit")),
            ("get", f"{ADMIN}/inbox", office.get("supplier-administrator", f"{ADMIN}/inbox")),
            ("get", f"{ADMIN}/audit/verification", office.get("operator-person", f"{ADMIN}/audit/verification")),
            ("get", f"{ADMIN}/organisations", office.get("operator-person", f"{ADMIN}/organisations?kind=supplier")),
            ("get", "/v1/me", office.get("one", "/v1/me")),
            ("get", "/v1/me", office.get(WHO, "/v1/me")),
        ]
        for method, path, reply in replies:
            assert reply.status in {200, 201}, (path, reply.body)
            described = document["paths"][path][method]["responses"][str(reply.status)]
            check(document, described["content"]["application/json"]["schema"], reply.json)

    def test_of_a_path_that_is_none_is_404_and_of_a_wrong_method_405(self, office: Office) -> None:
        for path in ("", "users", "users/1", f"systems/{uuid4().hex}", "systems/../users", f"systems/{uuid4()}/x"):
            assert office.get(WHO, f"{ADMIN}/{path}").code == "route_unknown"
        wrong = office.asking(WHO).call("DELETE", f"{ADMIN}/systems/{uuid4()}")
        assert (wrong.status, wrong.headers["allow"]) == (405, "GET, PATCH")

    def test_refuses_what_is_no_json_object_of_the_form(self, office: Office, systems: str) -> None:
        client = office.asking(WHO)
        for body in (b"", b"[]", b"null", b'"x"', b"{", b'{"name": 1}', b"\xff", b"[" * 5_000, b'{"name": "x"'):
            reply = client.call("POST", systems, body, {"Content-Type": "application/json"})
            assert (reply.status, reply.code) == (400, "body_invalid")
        assert client.call("POST", systems, b"name=x", {"Content-Type": "text/plain"}).status == 415
        assert client.call("POST", systems, b"x" * (1 << 20 | 1), {}).status == 413

    @pytest.mark.parametrize("field", ["name", "purpose", "contact", "endpoints"])
    @pytest.mark.parametrize("text", ["", " ", "x" * 5_000, "a\x00b", "a\u202eb", "a\x1b[31mb"])
    def test_refuses_texts_that_nobody_can_read(self, office: Office, systems: str, field: str, text: str) -> None:
        value = [text] if field == "endpoints" else text
        reply = office.post(WHO, systems, wanted(**{field: value}))
        assert (reply.status, reply.code) == (400, "system_invalid")

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(text=st.text(min_size=1, max_size=60))
    def test_gives_back_a_name_as_it_was_sent_or_refuses_it(self, office: Office, text: str) -> None:
        name = text + uuid4().hex
        systems = f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/systems"
        reply = office.post(WHO, systems, wanted(name=name))
        assert reply.status in {201, 400}
        if reply.status == 201:
            assert reply.json["name"] == name
            assert office.get(WHO, reply.headers["location"]).json["name"] == name
            assert SystemId(reply.json["id"]) in {each.id for each in office.house.control.systems()}
