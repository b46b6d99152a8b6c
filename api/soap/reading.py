"""Bytes into a SOAP message, by a parser that trusts nobody.

Encoding comes first: bytes become text here, so that no document type hides behind an encoding. Lenient in what honest
clients do (ISO-8859-1 without saying so), strict in what none of them needs: document types, entities, instructions,
depth, floods of elements or attributes. Nothing is ever fetched, whatever a message says about other places.
"""

import codecs
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from lxml import etree

from api.soap.errors import EnvelopeInvalid, HeaderNotUnderstood, MessageInvalid, MessageTooLarge
from api.soap.names import SOAP_11, SOAP_12, WSA

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_ELEMENTS: Final = 20_000
MOST_ATTRIBUTES: Final = 20_000
MOST_OF_ONE_ELEMENT: Final = 64
MOST_NAMESPACES: Final = 500
DEEPEST: Final = 64
LONGEST_NAME: Final = 256

_DECLARATION: Final = re.compile(r"^<\?xml\s[^>]*\?>")
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_CHARSET: Final = re.compile(rb"""charset\s*=\s*["']?([A-Za-z][A-Za-z0-9._-]*)""", re.IGNORECASE)
_ENCODINGS: Final = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii",
    "iso-8859-1": "iso-8859-1", "iso8859-1": "iso-8859-1", "latin1": "iso-8859-1", "latin-1": "iso-8859-1",
    "windows-1252": "cp1252", "cp1252": "cp1252",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
}  # fmt: skip
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, None), (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_FORBIDDEN: Final = ("<!DOCTYPE", "<!ENTITY", "<!ELEMENT", "<!ATTLIST", "<!NOTATION")
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_XOP: Final = "{http://www.w3.org/2004/08/xop/include}Include"
_REMEDY: Final = "send one SOAP envelope as text/xml in UTF-8; the service's types are at ?wsdl"


class Version(Enum):
    """namespace, and the media type of answers."""

    V11 = (SOAP_11, b"text/xml; charset=utf-8")
    V12 = (SOAP_12, b"application/soap+xml; charset=utf-8")

    @property
    def namespace(self) -> str:
        return self.value[0]

    @property
    def media_type(self) -> bytes:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Message:
    """payload   the one element in the body"""

    version: Version
    payload: Any


def version_said(content_type: bytes) -> Version:
    """The version that a media type stands for: for refusals of what cannot be read far enough to tell."""
    return Version.V12 if b"soap+xml" in content_type.lower() else Version.V11


def read_message(body: bytes, content_type: bytes) -> Message:
    """Raises MessageInvalid, MessageTooLarge, EnvelopeInvalid, HeaderNotUnderstood."""
    return _unwrapped(parsed(_text(body, content_type)))


def parsed(text: str) -> Any:
    """The root of an XML text without document type, within bounds. Raises MessageInvalid, MessageTooLarge."""
    text = _DECLARATION.sub("", text.lstrip("\ufeff \t\r\n"), count=1)
    _ensure_bounded(text)
    # A parser for each message: lxml keeps names and ids of one that is used again.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        huge_tree=False, remove_comments=True, remove_pis=False, collect_ids=False, encoding="utf-8",
    )  # fmt: skip
    try:
        root = etree.fromstring(text.encode("utf-8", "strict"), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError, ValueError) as error:
        # The parser's own message may quote the message.
        line, column = getattr(error, "position", (0, 0))
        where = f" at line {line}, column {column}" if line else ""
        raise MessageInvalid(f"the body is not well-formed XML{where}", remedy=_REMEDY) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _document_type()
    if root.getprevious() is not None or root.getnext() is not None:
        # Comments are gone by now, so these are instructions.
        raise _instruction()
    _ensure_harmless(root)
    return root


def _text(body: bytes, content_type: bytes) -> str:
    """By byte order mark, else by what the header says, else by the declaration, else UTF-8, else ISO-8859-1."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            if encoding is None:
                raise _unread("is in UTF-32")
            return _decoded(body, encoding)
    media_type = content_type.lower()
    if b"multipart/" in media_type:
        raise MessageInvalid("the message has attachments (MTOM or others)", remedy="send the envelope alone, inline")
    said = _CHARSET.search(media_type) or _ENCODING.match(body[:200])
    if said is not None:
        encoding = _ENCODINGS.get(said.group(1).decode("ascii").lower())
        if encoding is None:
            raise _unread("is in an encoding that is not taken")
        return _decoded(body, encoding)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("iso-8859-1")


def _decoded(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        raise _unread("is not in the encoding that it says") from None


def _unread(what: str) -> MessageInvalid:
    return MessageInvalid(f"the body {what}", remedy="send UTF-8, or ISO-8859-1 and say so")


def _document_type() -> MessageInvalid:
    return MessageInvalid(
        "the message has a document type or declares entities, which SOAP forbids",
        remedy="leave the document type out; escape < and & in texts",
        rule="soap.no_document_type",
    )


def _instruction() -> MessageInvalid:
    return MessageInvalid(
        "the message has a processing instruction, which SOAP forbids",
        remedy="leave it out",
        rule="soap.no_instructions",
    )


def _ensure_bounded(text: str) -> None:
    """Before any tree is made: what a message could cost is counted in its text."""
    upper = text.upper() if "<!" in text else ""
    if any(each in upper for each in _FORBIDDEN):
        raise _document_type()
    for what, most, found in (
        ("elements", MOST_ELEMENTS, text.count("<")),
        ("attributes", MOST_ATTRIBUTES, text.count("=")),
        ("namespaces", MOST_NAMESPACES, text.count("xmlns")),
    ):
        if found > most * (2 if what == "elements" else 1):
            raise MessageTooLarge(
                f"the message has more than {most:,} {what}", remedy="send a smaller one", rule=f"soap.most_{what}"
            )


def _ensure_harmless(root: Any) -> None:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end", "pi")):
        if event == "pi":
            raise _instruction()
        if event == "end":
            depth -= 1
            continue
        depth += 1
        if depth > DEEPEST:
            raise MessageTooLarge(
                f"elements lie more than {DEEPEST} deep", remedy="send the request alone", rule="soap.deepest"
            )
        if len(element.attrib) > MOST_OF_ONE_ELEMENT or any(len(name) > LONGEST_NAME * 2 for name in element.attrib):
            raise MessageTooLarge(
                f"an element has more than {MOST_OF_ONE_ELEMENT} attributes, or one with a name too long",
                remedy="send the request alone", rule="soap.most_attributes",
            )  # fmt: skip
        if len(element.tag) > LONGEST_NAME * 2:
            raise MessageTooLarge("an element's name is too long", remedy="mend the name", rule="soap.longest_name")
        if element.tag == _XOP:
            raise MessageInvalid("the message refers to an attachment (XOP)", remedy="send the envelope alone, inline")


def _unwrapped(root: Any) -> Message:
    version = next((each for each in Version if root.tag == f"{{{each.namespace}}}Envelope"), None)
    if version is None:
        raise EnvelopeInvalid("the message is no SOAP envelope of version 1.1 or 1.2", remedy=_REMEDY)
    inside = {f"{{{version.namespace}}}{name}": name for name in ("Header", "Body")}
    parts = [inside.get(each.tag, "") for each in root]
    if parts not in (["Body"], ["Header", "Body"]):
        raise EnvelopeInvalid("the envelope holds other than one header at most, then one body", remedy=_REMEDY)
    if len(parts) == 2:
        _ensure_understood(root[0], version)
    body = root[-1]
    if len(body) != 1 or (body.text or "").strip() or (body[0].tail or "").strip():
        raise EnvelopeInvalid("the body holds other than one element", remedy=_REMEDY)
    return Message(version, body[0])


def _ensure_understood(header: Any, version: Version) -> None:
    """Addressing is read past: the path says which service, the body which operation."""
    if next(header.iter(_SIGNATURE), None) is not None:
        # Identity is the connection's. A signature that nobody verifies must not look as if it counted.
        raise HeaderNotUnderstood(
            "the header is signed, and signatures count for nothing here",
            remedy="call with the client certificate of the connection alone", rule="soap.no_signatures",
        )  # fmt: skip
    for each in header:
        must = each.get(f"{{{version.namespace}}}mustUnderstand", "0").strip()
        if must in {"1", "true"} and etree.QName(each).namespace not in WSA:
            raise HeaderNotUnderstood(
                "a header must be understood, and it is not of WS-Addressing", remedy="leave it out",
                rule="soap.must_understand",
            )  # fmt: skip
