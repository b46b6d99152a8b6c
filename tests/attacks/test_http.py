"""Requests that two servers in a row might read differently, and addresses that look like others."""

import json
from collections.abc import Iterator

import pytest

from tests.api.house import ANNA, House
from tests.attacks.harness import (
    LOOKUP,
    PATH,
    Said,
    attack,
    case,
    ensure_nothing_personal,
    ensure_refused,
    request,
    talk,
)

BODY = b'{"key": "0851"}'
JSON = "Content-Type: application/json"
INVALID = "http_invalid"


def smuggled(prefix: bytes) -> bytes:
    """A request with a second one where its body should be: if both were answered, the second was smuggled."""
    return prefix + request("GET", "/health/live")


@pytest.fixture(autouse=True)
def still_answering(house: House, port: int) -> Iterator[None]:
    """Whatever came, the server answers the next caller."""
    yield
    assert talk(house, port, request("GET", "/health/live"), certificate=None)[-1].status == 200


class TestWhereARequestEnds:
    @pytest.mark.parametrize(
        "fields",
        [
            case("length-and-chunked", "Content-Length and Transfer-Encoding together (CL.TE)",
                 ("Content-Length: 4", "Transfer-Encoding: chunked"), by=INVALID),
            case("chunked-and-length", "the same the other way round (TE.CL)",
                 ("Transfer-Encoding: chunked", "Content-Length: 4"), by=INVALID),
            case("two-lengths", "two lengths", ("Content-Length: 15", "Content-Length: 4"), by=INVALID),
            case("length-list", "two lengths in one Content-Length", ("Content-Length: 4, 15",), by=INVALID),
            case("length-plus", "a Content-Length with a sign", ("Content-Length: +15",), by=INVALID),
            case("length-negative", "a negative Content-Length", ("Content-Length: -1",), by=INVALID),
            case("length-hex", "a Content-Length in hex", ("Content-Length: 0xf",), by=INVALID),
            case("length-overflow", "a Content-Length past 64 bits", ("Content-Length: 18446744073709551631",),
                 by=INVALID),
            case("length-blank-before-colon", "a blank between Content-Length and its colon", ("Content-Length : 15",),
                 by=INVALID),
            case("unknown-coding", "a transfer coding that is not known (TE.TE)", ("Transfer-Encoding: xchunked",),
                 by=INVALID),
            case("coding-after-chunked", "another coding after chunked", ("Transfer-Encoding: chunked, identity",),
                 by=INVALID),
            case("coding-twice", "two Transfer-Encoding, the second unknown",
                 ("Transfer-Encoding: chunked", "Transfer-Encoding: x"), by=INVALID),
            case("coding-blank-before-colon", "a blank between Transfer-Encoding and its colon",
                 ("Transfer-Encoding : chunked",), by=INVALID),
            case("coding-tab", "a vertical tab before chunked", ("Transfer-Encoding: \x0bchunked",), by=INVALID),
            case("coding-folded", "Transfer-Encoding folded over two lines", ("Transfer-Encoding:\r\n chunked",),
                 by=INVALID),
        ],
    )  # fmt: skip
    def test_must_not_be_in_doubt(self, house: House, port: int, fields: tuple[str, ...]) -> None:
        head = request("POST", LOOKUP, JSON, *fields, close=False)
        said = talk(house, port, smuggled(head))
        ensure_refused(said, INVALID)
        assert len(said) == 1

    @pytest.mark.parametrize(
        "body",
        [
            case("negative", "a negative chunk size", b"-1\r\nX\r\n0\r\n\r\n", by=INVALID),
            case("prefixed", "a chunk size with 0x", b"0xf\r\n" + BODY + b"\r\n0\r\n\r\n", by=INVALID),
            case("overflow", "a size past 64 bits", b"1000000000000000f\r\n" + BODY + b"\r\n0\r\n\r\n", by=INVALID),
            case("longer", "a chunk longer than its size", b"4\r\n" + BODY + b"\r\n0\r\n\r\n", by=INVALID),
            case("bare-newline", "a chunk size that ends in a bare line feed", b"f\n" + BODY + b"\r\n0\r\n\r\n",
                 by=INVALID),
            case("newline-in-extension", "a line feed in a chunk's extension",
                 b"f;a\n=b\r\n" + BODY + b"\r\n0\r\n\r\n", by=INVALID),
        ],
    )  # fmt: skip
    def test_chunks_are_read_strictly(self, house: House, port: int, body: bytes) -> None:
        head = request("POST", LOOKUP, JSON, "Transfer-Encoding: chunked", close=False)
        said = talk(house, port, smuggled(head + body))
        ensure_refused(said, INVALID)
        assert len(said) == 1

    @attack("a second request in the body of a GET", by="read as a body")
    def test_a_body_is_a_body(self, house: House, port: int) -> None:
        said = talk(house, port, request("GET", "/health/live", body=request("GET", "/health/ready")))
        assert [each.status for each in said] == [200]

    @attack("HTTP/1.0 with Transfer-Encoding, and a second request behind it", by="one answer, then closed")
    def test_chunked_in_http_1_0(self, house: House, port: int) -> None:
        old = request("POST", LOOKUP, JSON, "Transfer-Encoding: chunked", close=False).replace(b"HTTP/1.1", b"HTTP/1.0")
        assert len(talk(house, port, smuggled(old + b"f\r\n" + BODY + b"\r\n0\r\n\r\n"))) == 1


class TestHeaders:
    @pytest.mark.parametrize(
        "line",
        [
            case("folded", "a folded header (obs-fold)", b"X: a\r\n b", by=INVALID),
            case("folded-agreement", "an agreement folded under another header",
                 b"X: a\r\n\tKnudepunkt-Agreement: x", by=INVALID),
            case("nul", "NUL in a header", b"X: a\0b", by=INVALID),
            case("bare-cr", "a bare carriage return in a header", b"X: a\rKnudepunkt-Agreement: b", by=INVALID),
            case("bare-lf", "a bare line feed between headers", b"X: a\nY: b", by=INVALID),
            case("escape", "a terminal's escape in a header's name", b"X\x1b[31m: a", by=INVALID),
            case("blank-in-name", "a blank in a header's name", b"X Y: a", by=INVALID),
            case("no-name", "a header without a name", b": a", by=INVALID),
            case("no-colon", "a header without a colon", b"X", by=INVALID),
            case("blank-first", "a blank before the first header", b" X: a", by=INVALID),
        ],
    )  # fmt: skip
    def test_are_read_strictly(self, house: House, port: int, line: bytes) -> None:
        said = talk(house, port, b"GET %s HTTP/1.1\r\n%s\r\nHost: localhost\r\n\r\n" % (PATH.encode(), line))
        ensure_refused(said, INVALID)

    @pytest.mark.parametrize(
        "hosts",
        [
            case("none", "no Host", b"", by=INVALID),
            case("two", "two different Host", b"Host: localhost\r\nHost: evil.example\r\n", by=INVALID),
            case("same-twice", "the same Host twice", b"Host: localhost\r\nhost: localhost\r\n", by=INVALID),
            case("list", "two hosts in one Host", b"Host: localhost, evil.example\r\n", by=INVALID),
            case("user", "a user in Host", b"Host: localhost@evil.example\r\n", by=INVALID),
            case("path", "a path in Host", b"Host: localhost/../x\r\n", by=INVALID),
            case("script", "a script in Host", b'Host: "><script>\r\n', by=INVALID),
            case("not-ascii", "Host in other than ASCII", "Host: lo\u00e7alhost\r\n".encode(), by=INVALID),
        ],
    )
    def test_one_host(self, house: House, port: int, hosts: bytes) -> None:
        said = talk(house, port, b"GET /v1/catalogue HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        ensure_refused(said, INVALID)

    @attack("Knudepunkt-Agreement in a trailer, behind a body that names none", by="agreement_ambiguous")
    def test_an_agreement_in_a_trailer(self, house: House, port: int) -> None:
        head = request("POST", LOOKUP, JSON, "Transfer-Encoding: chunked")
        trailer = next(each for name, each in house.agreements.items() if name.startswith("both-"))
        body = b"f\r\n" + BODY + b"\r\n0\r\nKnudepunkt-Agreement: " + trailer.encode() + b"\r\n\r\n"
        ensure_refused(talk(house, port, head + body, certificate="both"), "agreement_ambiguous")

    @attack("headers that would override the method or the address", by="not looked at")
    def test_nothing_overrides_method_or_path(self, house: House, port: int) -> None:
        fields = ("X-HTTP-Method-Override: POST", "X-Original-URL: /v1/operations/status", "X-Rewrite-URL: /x")
        said = talk(house, port, request("GET", PATH, *fields))
        assert said[-1].json["record"]["code"] == "0851"

    @attack("one thousand headers", by="read, or 431")
    def test_many_headers(self, house: House, port: int) -> None:
        assert talk(house, port, request("GET", PATH, *(f"X-{n}: 1" for n in range(1_000))))[-1].status == 200

    @attack("a header of 70,000 bytes", by="head_too_large")
    def test_a_large_header(self, house: House, port: int) -> None:
        said = talk(house, port, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000)
        assert said == [] or said[-1].code == "head_too_large"

    @pytest.mark.parametrize(
        "rest",
        [
            case("trailer", "a trailer without an end", b"0\r\nX: " + b"x" * 300_000, by="head_too_large"),
            case("extension", "a chunk's extension without an end", b"f;" + b"x" * 300_000, by="head_too_large"),
        ],
    )
    def test_what_stands_beside_the_body(self, house: House, port: int, rest: bytes) -> None:
        head = request("POST", "/v1/nowhere", JSON, "Transfer-Encoding: chunked", close=False)
        said = talk(house, port, head, rest)
        assert {each.status for each in said} <= {404, 431}
        assert said == [] or said[-1].code in {"head_too_large", "route_unknown"}


class TestMethods:
    @pytest.mark.parametrize(
        ("line", "codes"),
        [
            case("trace", "TRACE, which would give back what it got", "TRACE /v1/catalogue", ("method_not_allowed",),
                 by="method_not_allowed"),
            case("connect", "CONNECT, to be forwarded elsewhere", "CONNECT evil.example:443",
                 (INVALID, "route_unknown"), by="http_invalid or route_unknown"),
            case("delete", "DELETE on the catalogue", "DELETE /v1/catalogue", ("method_not_allowed",),
                 by="method_not_allowed"),
            case("lower-case", "a method in small letters", "get /v1/catalogue", (INVALID, "method_not_allowed"),
                 by=INVALID),
            case("made-up", "a method that does not exist", "STEAL /v1/catalogue", (INVALID,), by=INVALID),
            case("preface", "the preface of HTTP/2", "PRI *", (INVALID, "route_unknown"), by=INVALID),
            case("asterisk", "OPTIONS *", "OPTIONS *", (INVALID, "route_unknown"), by="http_invalid or route_unknown"),
        ],
    )  # fmt: skip
    def test_are_those_of_the_path(self, house: House, port: int, line: str, codes: tuple[str, ...]) -> None:
        method, _, path = line.partition(" ")
        ensure_refused(talk(house, port, request(method, path, "X-Secret: 6101701001")), *codes)

    @attack("HTTP/0.9, without headers", by=INVALID)
    def test_http_0_9(self, house: House, port: int) -> None:
        said = talk(house, port, b"GET /v1/catalogue\r\n\r\n")
        ensure_refused(said, INVALID)


UNKNOWN = ("route_unknown", "operation_unknown", "service_unknown", "record_not_found", INVALID, "method_not_allowed")
STATUS, BELOW = "/v1/operations/status", "/operations/status"


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            case("dots", "dots up from a public path", f"/v1/catalogue/..{BELOW}", by="route_unknown"),
            case("encoded-dots", "dots up, percent-encoded", f"/v1/catalogue/%2e%2e{BELOW}", by="route_unknown"),
            case("twice-encoded", "dots up, encoded twice", f"/v1/catalogue/%252e%252e{BELOW}", by="route_unknown"),
            case("overlong", "dots up in overlong UTF-8", f"/v1/catalogue/%c0%ae%c0%ae{BELOW}", by="route_unknown"),
            case("backslash", "a backslash for a slash", "/v1\\operations\\status", by="route_unknown"),
            case("double-slash", "two slashes", "//v1/operations//status", by="route_unknown"),
            case("trailing-slash", "a slash at the end", f"{STATUS}/", by="route_unknown"),
            case("semicolon", "a path parameter", f"{STATUS};a=b", by="route_unknown"),
            case("nul", "NUL in the path", f"{STATUS}%00.json", by="route_unknown"),
            case("newline", "a line end in the path", f"{STATUS}%0d%0aX:1", by="route_unknown"),
            case("upper-case", "the path in capitals", STATUS.upper(), by="route_unknown"),
            case("metrics-slash", "the metrics with a slash at the end", "/metrics/", by="route_unknown"),
            case("metrics-below", "dots up to the metrics", "/v1/catalogue/..%2f..%2fmetrics", by="route_unknown"),
            case("files-outside", "a file's name that leads out of the shelf",
                 "/v1/services/municipalities-extract/files/..%2f..%2fcontrol.sqlite", by="not found"),
            case("files-absolute", "a file's name that is a path",
                 "/v1/services/municipalities-extract/files/%2fetc%2fpasswd", by="not found"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("certificate", ["one", None])
    def test_another_spelling_is_another_address(
        self, house: House, port: int, path: str, certificate: str | None
    ) -> None:
        said = talk(house, port, request("GET", path), certificate=certificate)
        ensure_refused(said, *UNKNOWN, "file_not_found", "certificate_missing", "personal_key_in_url")

    @pytest.mark.parametrize(
        "target",
        [
            case("absolute", "an absolute address of another host", f"https://evil.example{PATH}", by="Host decides"),
            case("userinfo", "an absolute address with a user", f"https://a:b@localhost{PATH}", by="Host decides"),
        ],
    )
    def test_the_absolute_form_names_no_other_place(self, house: House, port: int, target: str) -> None:
        said = talk(house, port, request("GET", target))
        assert said[-1].status == 200 or said[-1].code in UNKNOWN
        assert b"evil" not in said[-1].body

    @pytest.mark.parametrize(
        "path",
        [
            case("plain", "a personal number in an address", f"/v1/services/cpr-persons/records/{ANNA}",
                 by="personal_key_in_url"),
            case("encoded", "a personal number in an address, percent-encoded",
                 "/v1/services/cpr-persons/records/%36%31%30%31701001", by="personal_key_in_url"),
        ],
    )  # fmt: skip
    def test_personal_numbers_stay_out_of_addresses(self, house: House, port: int, path: str) -> None:
        ensure_refused(talk(house, port, request("GET", path)), "personal_key_in_url")

    @pytest.mark.parametrize(
        "query",
        [
            case("unknown", "a query parameter that is not known", "debug=1", by="parameter_invalid"),
            case("twice", "columns twice", "columns=code&columns=name", by="parameter_invalid"),
            case("encoded-twice", "columns twice, once encoded", "columns=code&col%75mns=name", by="parameter_invalid"),
            case("many", "ten thousand parameters", "&".join(f"a{n}=1" for n in range(5_000)), by="parameter_invalid"),
            case("bad-utf8", "bytes that are no UTF-8", "columns=%ff%fe", by="parameter_invalid"),
            case("nul", "NUL in a parameter", "columns=code%00", by="parameter_invalid"),
            case("sql", "SQL in columns", "columns=code;drop%20table%20x", by="parameter_invalid"),
            case("brackets", "a parameter as a list", "columns[]=code", by="parameter_invalid"),
        ],
    )
    def test_queries_are_read_strictly(self, house: House, port: int, query: str) -> None:
        ensure_refused(talk(house, port, request("GET", f"{PATH}?{query}")), "parameter_invalid")


class TestAnswers:
    @pytest.mark.parametrize(
        "text",
        [
            case("script", "a script in a path", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", by="JSON, never HTML"),
            case("split", "a line end in a path, to split the answer", "x%0d%0aSet-Cookie:%20a=b", by="JSON, one head"),
            case("template", "a template's marks in a path", "%7B%7B7*7%7D%7D", by="not repeated"),
        ],
    )
    @pytest.mark.parametrize("before", ["/", "/problems/", "/v1/catalogue/", "/v1/services/municipalities/records/"])
    def test_repeat_nothing_that_a_browser_would_run(self, house: House, port: int, before: str, text: str) -> None:
        said = talk(house, port, request("GET", before + text))[-1]
        assert 400 <= said.status < 500
        assert said.headers["content-type"] == "application/problem+json"
        assert b"<script" not in said.body
        assert b"49" not in said.body.replace(json.dumps(said.json["instance"]).encode(), b"")
        assert "set-cookie" not in said.headers
        ensure_nothing_personal(said.body)

    @attack("a language, an encoding and a type that do not exist", by="not looked at")
    def test_accept_headers_break_nothing(self, house: House, port: int) -> None:
        fields = ("Accept: ../../etc/passwd", "Accept-Encoding: zip-bomb", "Accept-Language: " + "x" * 1_000)
        said: Said = talk(house, port, request("GET", PATH, *fields))[-1]
        assert said.status in {200, 406}
