"""Bulk by wrong means: files by other names, other people's extracts, floods, targets inside, documents that grow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from control import ServiceTerms
from extract.delivery.faults import TargetInvalid, TargetRefused, TargetUnreachable
from extract.delivery.push_https import HttpsSender, Poster, secret_of
from extract.delivery.targets import HttpsTarget, Reach, target_of
from extract.errors import ExchangeRefused
from extract.exchange.names import clean_name
from extract.exchange.xml import NAMESPACE, read_described, read_receipt
from kernel import PlatformError, SystemClock
from tests.api.house import AALBORG, ANNA, BENT, House
from tests.attacks.harness import Said, attack, case, ensure_on_record, ensure_refused, post, request, talk
from tests.delivery.builders import a_parcel, handover
from tests.delivery.receivers import LOCAL, client_context, https
from tests.sync.connectors.authority import new_authority

SERVICE = "/v1/services/municipalities-extract"
PERSONS = "/v1/services/cpr-persons-extract"
Ask = Callable[..., Said]


@pytest.fixture
def ask(house: House, port: int) -> Ask:
    def asked(path: str, document: Any = None, *fields: str, by: str = "one", method: str = "GET") -> Said:
        sent = request(method, path, *fields) if document is None else post(path, document, *fields)
        return talk(house, port, sent, certificate=by)[-1]

    return asked


class TestFilesByName:
    @pytest.mark.parametrize(
        "name",
        [
            case("parent", "dots up", "..", by="nothing there"),
            case("encoded", "dots and slashes, encoded", "%2e%2e%2f%2e%2e%2fcontrol.sqlite", by="nothing there"),
            case("twice-encoded", "the same, encoded twice", "%252e%252e%252fcontrol.sqlite", by="nothing there"),
            case("absolute", "a path from the root", "%2fetc%2fpasswd", by="nothing there"),
            case("backslash", "backslashes", "..%5c..%5ccontrol.sqlite", by="nothing there"),
            case("overlong", "dots in overlong UTF-8", "%c0%ae%c0%ae%c0%afcontrol.sqlite", by="nothing there"),
            case("fullwidth", "dots of full width", "%ef%bc%8e%ef%bc%8e%ef%bc%8fx", by="nothing there"),
            case("nul", "NUL behind a name", "x.csv%00.manifest.json", by="nothing there"),
            case("hidden", "a hidden file", ".lock", by="nothing there"),
            case("unfinished", "a file that is being written", "x.csv.part", by="nothing there"),
            case("wildcard", "a wildcard", "*.csv", by="nothing there"),
            case("long", "a name of 5,000 signs", "a" * 5_000, by="nothing there"),
            case("device", "a device", "%2fdev%2fzero", by="nothing there"),
            case("address", "another address", "https:%2f%2fevil.example%2fx", by="nothing there"),
            case("newline", "a line end in a name, for the header that would repeat it", "x%0d%0aX:%20y.csv",
                 by="nothing there"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("below", ["files", "extracts"])
    def test_lead_to_nothing(self, house: House, ask: Ask, name: str, below: str) -> None:
        for service in (SERVICE, PERSONS):
            said = ask(f"{service}/{below}/{name}")
            assert said.status == 404, said.body[:200]
            assert said.headers["content-type"] == "application/problem+json"
            ensure_on_record(house, said.code)


class TestOthersExtracts:
    @attack("another agreement's extract, by its id: looked at, cancelled", by="extract_unknown")
    def test_a_job(self, house: House, ask: Ask) -> None:
        begun = ask(f"{PERSONS}/extracts", {"format": "csv"}, by="one")
        assert begun.status == 202, begun.body[:200]
        path = begun.headers["location"]
        assert ask(path, by="one").status == 200
        looked = ask(path, by="two")
        ended = ask(path, method="DELETE", by="two")
        assert (looked.status, ended.status) == (404, 404)
        assert looked.code == ended.code
        ensure_on_record(house, looked.code)
        assert ask(path, by="one").status == 200

    @attack("an extract's id that was guessed", by="extract_unknown")
    def test_a_guessed_job(self, house: House, ask: Ask) -> None:
        for name in (str(uuid4()), "0" * 64, "1", "extracts"):
            assert ask(f"{PERSONS}/extracts/{name}").status == 404

    @attack("the list of extracts, to see another agreement's", by="one's own alone")
    def test_the_list(self, ask: Ask) -> None:
        ask(f"{PERSONS}/extracts", {"format": "ndjson"}, by="one")
        seen = ask(f"{PERSONS}/extracts", by="two").json["extracts"]
        assert all(each["format"] != "ndjson" for each in seen)

    @attack("another agreement's file, by its name", by="nothing there")
    def test_a_file(self, house: House, ask: Ask) -> None:
        own = ask(f"{PERSONS}/extract?format=csv", by="one")
        name = own.headers["content-disposition"].partition('"')[2].rstrip('"')
        assert ask(f"{PERSONS}/files/{name}", by="one").status == 200
        said = ask(f"{PERSONS}/files/{name}", by="two")
        assert said.status == 404
        assert b"Hemmelig" not in said.body

    @attack("a hidden column in an extract that is made later", by="columns_not_covered")
    def test_columns_later(self, house: House, ask: Ask) -> None:
        ensure_refused([ask(f"{PERSONS}/extracts", {"columns": ["pnr", "address"]}, by="two")], "columns_not_covered")
        ensure_refused(
            [ask(f"{PERSONS}/extracts", {"columns": ["pnr; --"]}, by="two")], "column_unknown", "body_invalid"
        )

    @attack("rows beyond the agreement in an extract that is explained", by="one's own alone")
    def test_explained(self, ask: Ask) -> None:
        said = ask(f"{PERSONS}/extract/explain?format=csv", by="two")
        if said.status == 200:
            assert said.json["left_out"]["address"] == "agreement"
            assert ANNA not in said.body.decode()
            assert BENT not in said.body.decode()
        else:
            assert said.status == 404

    @attack("the changes since another agreement's cursor", by="refused, or one's own columns and rows")
    def test_anothers_cursor(self, ask: Ask) -> None:
        cursor = ask(f"{PERSONS}/extract?format=ndjson", by="one").headers["knudepunkt-cursor"]
        said = ask(f"{PERSONS}/extract?format=ndjson&since={cursor}", by="two")
        if said.status == 200:
            rows = [json.loads(line) for line in said.body.splitlines()]
            assert all(row.keys() <= {"pnr", "status", "name", "_op", "op", "operation", "_operation"} for row in rows)
        else:
            assert 400 <= said.status < 500
            assert said.json["remedy"]

    @pytest.mark.parametrize(
        "day",
        [
            case("past", "a delta since a day long ago, to hear of protections that are over", "20010601",
                 by="extract_cursor_invalid"),
            case("future", "a delta since a day to come, to hear when protections end", "20990101",
                 by="extract_cursor_invalid"),
            case("none", "a delta since a copy with nothing withheld, to hear who is protected", "0",
                 by="extract_cursor_invalid"),
        ],
    )  # fmt: skip
    def test_a_cursor_of_ones_own_making(self, house: House, ask: Ask, day: str) -> None:
        asked = f"{PERSONS}/extract?format=ndjson&columns=pnr,name"
        snapshot, _, view = ask(asked).headers["knudepunkt-cursor"].split(".")
        said = ask(f"{asked}&since={snapshot}.{day}.{view}")
        assert (said.status, said.code) == (400, "extract_cursor_invalid")
        ensure_on_record(house, said.code)

    @attack("a delta since before there was anything, to have the production fail", by="history_expired")
    def test_a_cursor_of_the_beginning(self, ask: Ask) -> None:
        cursor = ask(f"{SERVICE}/extract?format=ndjson").headers["knudepunkt-cursor"]
        said = ask(f"{SERVICE}/extract?format=ndjson&since=1.{cursor.partition('.')[2]}")
        assert (said.status, said.code) == (410, "history_expired")

    @attack("how many rows changed outside the agreement's own, from a plan that is explained", by="it is not told")
    def test_a_count_beyond_ones_rows(self, ask: Ask) -> None:
        cursor = ask(f"{PERSONS}/extract?format=ndjson", by="two").headers["knudepunkt-cursor"]
        said = ask(f"{PERSONS}/extract/plan?format=ndjson&since={cursor}", by="two")
        assert (said.json["kind"], said.json["rows_estimated"]) == ("delta", None)

    @pytest.mark.parametrize(
        "asked",
        [
            case("format", "a format that is a path", {"format": "../csv"}, by="parameter_invalid"),
            case("compression", "a compression that does not exist", {"compression": "zip"}, by="parameter_invalid"),
            case("field", "a field of the house's own", {"hide_protected_on": None, "protected": True},
                 by="body_invalid"),
            case("rows", "rows of one's own choice", {"rows": {"municipality_code": ["0461"]}}, by="body_invalid"),
            case("target", "a place to write to", {"path": "/tmp/x"}, by="body_invalid"),
            case("kind", "numbers for texts", {"format": 1}, by="body_invalid"),
        ],
    )  # fmt: skip
    def test_a_plan_of_ones_own(self, house: House, ask: Ask, asked: dict[str, Any], by: str) -> None:
        ensure_refused([ask(f"{PERSONS}/extracts", asked, by="two")], by, "extract_impossible", "format_impossible")


class TestFloods:
    @attack("more extracts at once than an agreement may have", by="extracts_too_many")
    def test_of_extracts(self, house: House, ask: Ask) -> None:
        house.add_system("flooding")
        house.agree("flooding", "flooding", AALBORG, {"municipalities-extract": ServiceTerms()})
        house.settle()
        names = ("code", "name", "region", "region_code", "cvr", "population")
        plans = [{"format": kind, "columns": [*names[:many]]}
                 for kind in ("csv", "ndjson", "parquet", "arrow") for many in range(1, len(names) + 1)]  # fmt: skip
        said = [ask(f"{SERVICE}/extracts", plan, by="flooding") for plan in plans]
        assert {each.status for each in said} == {202, 429}
        ensure_refused(said, "extracts_too_many")
        ensure_on_record(house, "extracts_too_many")
        # Others are not held up by it.
        assert ask(f"{SERVICE}/extracts", {"format": "csv"}, by="one").status == 202

    @attack("the same extract a hundred times at once", by="one file is made")
    def test_of_one_extract(self, house: House, port: int) -> None:
        one = post(f"{SERVICE}/extracts", {"format": "csv", "columns": ["code", "population"]})
        one = one.replace(b"Connection: close\r\n", b"")
        last = request("GET", f"{SERVICE}/extracts")
        said = talk(house, port, one * 100, last)
        assert {each.status for each in said[:-1]} == {202}
        assert len({each.headers["location"] for each in said[:-1]}) == 1

    @attack("a thousand connections that say nothing", by="others are answered")
    def test_of_connections(self, house: House, port: int) -> None:
        import socket

        held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(300)]
        try:
            assert talk(house, port, request("GET", "/health/live"))[-1].status == 200
        finally:
            for each in held:
                each.close()


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJZr0FQw2v1m3k5yqzj5mJxkqfK9vVfU3D5G0Ck1r2aB"


class TestTargets:
    @pytest.mark.parametrize(
        "host",
        [
            case("name", "this machine by name", "localhost", by="target_refused"),
            case("short", "this machine, written short", "127.1", by="target_refused"),
            case("decimal", "this machine as one number", "2130706433", by="target_refused"),
            case("hex", "this machine in hex", "0x7f000001", by="target_refused"),
            case("octal", "this machine in octal", "0177.0.0.1", by="target_refused"),
            case("ipv6", "this machine in IPv6", "[::1]", by="target_refused"),
            case("mapped", "this machine, mapped into IPv6", "[::ffff:127.0.0.1]", by="target_refused"),
            case("compatible", "this machine, in the old IPv6 form", "[::127.0.0.1]", by="target_refused"),
            case("any", "every address of this machine", "0.0.0.0", by="target_refused"),
            case("metadata", "a cloud's own service", "169.254.169.254", by="target_refused"),
            case("metadata-ipv6", "a cloud's own service in IPv6", "[fd00:ec2::254]", by="target_refused"),
            case("private", "a private network", "10.0.0.1", by="target_refused"),
            case("carrier", "a carrier's inner network", "100.64.0.1", by="target_refused"),
            case("site-local", "an inner network of old", "[fec0::1]", by="target_refused"),
            case("translated", "this machine, translated (SIIT)", "[::ffff:0:7f00:1]", by="target_refused"),
            case("nat64", "a private address, translated", "[64:ff9b::a00:1]", by="target_refused"),
            case("nat64-local", "a private address, translated locally", "[64:ff9b:1::a00:1]", by="target_refused"),
            case("multicast", "many at once", "224.0.0.1", by="target_refused"),
            case("broadcast", "everybody", "255.255.255.255", by="target_refused"),
        ],
    )  # fmt: skip
    def test_inside_are_refused_however_they_are_written(self, host: str, by: str) -> None:
        with pytest.raises((TargetRefused, TargetUnreachable)) as refused:
            Reach().address(host, 443)
        # A resolver that does not know a way of writing at all leads nowhere either.
        assert refused.value.code == by or not host.startswith("[")
        assert host not in refused.value.message

    @attack("a receiver that leads on to an inner address (307)", by="target.redirect")
    @pytest.mark.parametrize("status", ["http://169.254.169.254/latest/meta-data", "https://localhost:1/x"])
    def test_a_redirect_is_not_followed(self, tmp_path: Path, status: str) -> None:
        authority = new_authority(tmp_path)
        with https(authority) as endpoint:
            endpoint.answers.append(status)
            poster = Poster(
                url=endpoint.url, secret=secret_of(b"k" * 32, "s"), tls=client_context(authority), reach=LOCAL,
                clock=SystemClock(), timeout_s=10,
            )  # fmt: skip
            sender = HttpsSender(
                target=HttpsTarget(url=endpoint.url), poster=poster, source="https://hub.example", pull=lambda _: "/f"
            )
            parcel, placing = a_parcel(tmp_path, b"x" * 100), list[str]()
            with pytest.raises(PlatformError) as refused:
                sender.send(parcel, handover(placing=placing))
            assert refused.value.rule == "target.redirect"
            assert len(endpoint.got) == 1

    @pytest.mark.parametrize(
        "told",
        [
            case("plain-http", "an address without encryption", {"kind": "https", "url": "http://a.example/"},
                 by="target_invalid"),
            case("file", "a file", {"kind": "https", "url": "file:///etc/passwd"}, by="target_invalid"),
            case("gopher", "another protocol", {"kind": "https", "url": "gopher://a.example/"}, by="target_invalid"),
            case("userinfo", "a host that hides behind a user", {"kind": "https", "url": "https://a.example@evil.example/"},
                 by="target_invalid"),
            case("crlf", "a line end in an address", {"kind": "https", "url": "https://a.example/\r\nX: y"},
                 by="target_invalid"),
            case("fragment", "a fragment", {"kind": "https", "url": "https://a.example/#@b"}, by="target_invalid"),
            case("option", "a host that is an option", {"kind": "sftp", "host": "-oProxyCommand=id", "user": "a",
                 "host_key": KEY}, by="target_invalid"),
            case("shell", "a user that is a command", {"kind": "sftp", "host": "a.example", "user": "$(id)",
                 "host_key": KEY}, by="target_invalid"),
            case("no-key", "a server whose key is not known", {"kind": "sftp", "host": "a.example", "user": "a"},
                 by="target_invalid"),
            case("folder", "a line end in a folder", {"kind": "sftp", "host": "a.example", "user": "a", "host_key": KEY,
                 "folder": "in\nx"}, by="target_invalid"),
            case("port", "a port that there is not", {"kind": "sftp", "host": "a.example", "user": "a", "host_key": KEY,
                 "port": 0}, by="target_invalid"),
            case("field", "a field of the house's own", {"kind": "shelf", "path": "/etc"}, by="target_invalid"),
        ],
    )  # fmt: skip
    def test_that_are_no_targets(self, told: dict[str, Any], by: str) -> None:
        with pytest.raises(TargetInvalid) as refused:
            target_of(told)
        assert refused.value.code == by
        assert refused.value.remedy


def _trigger(inner: str, before: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>{before}<t:Trigger xmlns:t="{NAMESPACE}"><FileDescriptor><FileName>{inner}</FileName>'
        "<SizeInBytes>1</SizeInBytes><Sender>a</Sender><Recipients>b</Recipients></FileDescriptor></t:Trigger>"
    ).encode()


class TestUploads:
    @pytest.mark.parametrize(
        "text",
        [
            case("entities", "entities that grow to gigabytes",
                 _trigger("&c;", '<!DOCTYPE t [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
                                 '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'), by="exchange_refused"),
            case("file", "an entity that reads a file",
                 _trigger("&x;", '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), by="exchange_refused"),
            case("net", "an entity that asks another machine",
                 _trigger("x", '<!DOCTYPE t SYSTEM "http://127.0.0.1:1/x.dtd">'), by="exchange_refused"),
            case("deep", "ten thousand elements in each other", _trigger("<a>" * 5_000 + "</a>" * 5_000),
                 by="exchange_refused"),
            case("large", "a document of a megabyte", _trigger("x" * 1_000_000), by="exchange_refused"),
            case("gzip", "a compressed document", b"\x1f\x8b\x08\0" + bytes(100), by="exchange_refused"),
            case("utf-7", "an encoding that hides what it says",
                 b'<?xml version="1.0" encoding="UTF-7"?>+ADw-Trigger+AD4-', by="exchange_refused"),
            case("recipients", "a thousand recipients",
                 _trigger("x").replace(b"<Recipients>b</Recipients>",
                                       b"".join(b"<Recipients>b%d</Recipients>" % n for n in range(1_000))),
                 by="exchange_refused"),
            case("size", "a size that is no number", _trigger("x").replace(b">1<", b">1e9<"), by="exchange_refused"),
        ],
    )  # fmt: skip
    def test_documents_that_do_harm(self, text: bytes) -> None:
        with pytest.raises(ExchangeRefused) as refused:
            read_described(text)
        assert refused.value.remedy
        assert "passwd" not in refused.value.message
        assert "root:" not in refused.value.message

    @pytest.mark.parametrize(
        "name",
        [
            case("up", "a name that leads up", "../x", by="no name"),
            case("absolute", "a name from the root", "/x", by="no name"),
            case("windows", "a name with backslashes", "..\\x", by="no name"),
            case("hidden", "a hidden name", ".bashrc", by="no name"),
            case("option", "a name that is an option", "-rf", by="no name"),
            case("nul", "NUL in a name", "x\0.csv", by="no name"),
            case("newline", "a line end in a name", "x\ny", by="no name"),
            case("bidi", "a name that reads backwards", "x\u202efdp.exe", by="no name"),
            case("zero-width", "a name that looks like another", "x\u200b", by="no name"),
            case("blank", "a name that ends in a blank", "x ", by="no name"),
            case("long", "a name of 300 signs", "x" * 300, by="no name"),
            case("long-bytes", "a name of 200 signs that are 800 bytes", "\U0001f600" * 200, by="no name"),
            case("surrogate", "a name that is no Unicode", "x\udcff", by="no name"),
            case("home", "a name that is somebody's home", "~root", by="no name"),
            case("stream", "a name with a second stream", "x:y", by="no name"),
            case("empty", "no name", "", by="no name"),
        ],
    )  # fmt: skip
    def test_names_that_are_none(self, name: str) -> None:
        assert clean_name(name) is None


def _receipt(inner: str, before: str = "", root: str = "TechnicalReceipt", namespace: str = NAMESPACE) -> bytes:
    return f'{before}<n:{root} xmlns:n="{namespace}">{inner}</n:{root}>'.encode()


_TAKEN = "<Receipt><Message>SUCCESS</Message></Receipt>"
_READER = "confirms nothing"


class TestReceipts:
    """What a receiving server writes: a delivery that was not taken must not count as taken."""

    @pytest.mark.parametrize(
        "text",
        [
            case("file", "a receipt with an entity that reads a file of ours", _receipt(
                "<Receipt><Message>&e;</Message></Receipt>", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hosts">]>'
            ), by=_READER),
            case("address", "a receipt with an entity that asks an address inside", _receipt(
                _TAKEN, '<!DOCTYPE a SYSTEM "http://169.254.169.254/x">'), by=_READER),
            case("growing", "entities within entities", _receipt("<Receipt><Message>&c;</Message></Receipt>", (
                '<!DOCTYPE a [<!ENTITY a "lollol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
            )), by=_READER),
            case("long", "a receipt of 10 MB", _receipt(f"<!--{'x' * 10_000_000}-->{_TAKEN}"), by=_READER),
            case("half", "half a receipt", _receipt(_TAKEN)[:-9], by=_READER),
            case("both", "success and an error in one", _receipt(
                f"{_TAKEN}<ErrorMessage><ErrorCode>30</ErrorCode></ErrorMessage>"), by=_READER),
            case("twice", "two results", _receipt(_TAKEN + _TAKEN), by=_READER),
            case("nested", "a result within an element that nobody knows", _receipt(f"<Other>{_TAKEN}</Other>"),
                 by=_READER),
            case("namespace", "the right words in another namespace", _receipt(_TAKEN, namespace="urn:evil"),
                 by=_READER),
            case("trigger", "a trigger in the place of a receipt", _receipt(_TAKEN, root="Trigger"), by=_READER),
            case("number", "an error whose number is none", _receipt(
                "<ErrorMessage><ErrorCode>30; DROP TABLE</ErrorCode></ErrorMessage>"), by=_READER),
            case("nothing", "an empty file", b"", by=_READER),
        ],
    )  # fmt: skip
    def test_that_lie(self, text: bytes) -> None:
        with pytest.raises(ExchangeRefused) as refusal:
            read_receipt(text)
        assert "DROP" not in str(refusal.value)
