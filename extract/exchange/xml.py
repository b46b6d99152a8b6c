"""The documents of the exchange: triggers that senders write, metadata and receipts that we write. Pure.

The published types (namespace below): only the root is qualified, and children stand in a fixed order. Lenient in:
either root, with or without prefix, for what a sender writes. Exact out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from extract.errors import ExchangeRefused

NAMESPACE: Final = "http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types"
MOST_BYTES: Final = 64 * 1024
"""Of a document that a sender writes; a trigger with a hundred recipients and routing is 10 KB."""
MOST_RECIPIENTS: Final = 100
LONGEST_USER: Final = 255
_PREFIX: Final = "ns2"
"""The only public client that parses metadata looks for this prefix, and for no other."""
_ROOTS: Final = frozenset({"Trigger", "FileMetadata"})
_RECEIPTS: Final = frozenset({"TechnicalReceipt", "BusinessReceipt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a sender says of a file. Fields are None where it says nothing.

    content   children of FileContentDescriptor, as XML: passed on unread
    """

    file: str
    size_bytes: int | None
    sender: str
    recipients: tuple[str, ...]
    senders_file_id: str | None = None
    content: tuple[bytes, ...] = ()


def read_described(text: bytes) -> Described:
    """What stands in a trigger or metadata file of a sender.

    Raises ExchangeRefused, which names the element and never what stands in it.
    """
    root = _parsed(text)
    if etree.QName(root).localname not in _ROOTS or etree.QName(root).namespace not in {NAMESPACE, None}:
        raise _refused(f"the root is neither Trigger nor FileMetadata of {NAMESPACE}")
    descriptor = _child(root, "FileDescriptor")
    if descriptor is None:
        raise _refused("FileDescriptor is missing")
    recipients = tuple(_text(each, "Recipients") for each in _children(descriptor, "Recipients"))
    if not recipients or len(recipients) > MOST_RECIPIENTS or len(set(recipients)) < len(recipients):
        raise _refused(f"Recipients names nobody, somebody twice, or more than {MOST_RECIPIENTS}")
    size, own_id = _child(descriptor, "SizeInBytes"), _child(descriptor, "SendersFileId")
    content = _child(root, "FileContentDescriptor")
    return Described(
        file=_required(descriptor, "FileName"),
        size_bytes=None if size is None else _count(_text(size, "SizeInBytes")),
        sender=_required(descriptor, "Sender"),
        recipients=recipients,
        senders_file_id=None if own_id is None else _text(own_id, "SendersFileId"),
        content=() if content is None else tuple(etree.tostring(each, with_tail=False) for each in content),
    )


def authority_of(content: Iterable[bytes]) -> str | None:
    """The CVR number of the SenderAuthority in a routing block, None when there is none."""
    for each in content:
        for element in _parsed(each).iter():
            text = (element.text or "").strip().removeprefix("urn:oio:cvr-nr:")
            if etree.QName(element).localname == "SenderAuthority" and len(text) == 8 and text.isdecimal():
                return text
    return None


def trigger_text(described: Described) -> bytes:
    """As a sender writes it."""
    root = _root("Trigger")
    _describe(root, described)
    return _document(root)


def metadata_text(described: Described, transfer: str, *, legacy: bool) -> bytes:
    """What lies beside a file in IN.

    legacy   the root is Trigger, as some receivers look for; else FileMetadata, as the published types have it
    """
    root = _root("Trigger" if legacy else "FileMetadata")
    _add(root, "FileTransferUUID", transfer)
    _describe(root, described)
    return _document(root)


def receipt_text(
    transfer: str, *, senders_file_id: str | None = None, errors: Iterable[tuple[int, str, str]] = ()
) -> bytes:
    """What a sender gets back: `SUCCESS`, or each error as (number, its name, what to do)."""
    root = _root("TechnicalReceipt")
    _add(root, "FileTransferUUID", transfer)
    if senders_file_id is not None:
        _add(root, "SendersFileId", senders_file_id)
    failed = list(errors)
    if not failed:
        _add(_add(root, "Receipt"), "Message", "SUCCESS")
    for number, name, words in failed:
        error = _add(root, "ErrorMessage")
        _add(error, "ErrorCode", str(number))
        _add(error, "ErrorCodeDescription", name)
        _add(error, "ErrorDescription", words)
    return _document(root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """taken    whether the file was taken
    errors   numbers of what went wrong, for a file that was not
    """

    senders_file_id: str | None
    taken: bool
    errors: tuple[int, ...] = ()


def read_receipt(text: bytes) -> Receipt:
    """What another platform's receipt says: a TechnicalReceipt, or the BusinessReceipt of a controlled exchange.

    Raises ExchangeRefused, which names the element and never what stands in it.
    """
    root = _parsed(text)
    kind = etree.QName(root).localname
    if kind not in _RECEIPTS or etree.QName(root).namespace not in {NAMESPACE, None}:
        raise _refused(f"the root is no receipt of {NAMESPACE}")
    own_id = _child(root, "SendersFileId")
    known = None if own_id is None else _text(own_id, "SendersFileId")
    if kind == "BusinessReceipt":
        return Receipt(senders_file_id=known, taken=_required(root, "FileAcceptance") == "ACCEPTED")
    errors = []
    for each in _children(root, "ErrorMessage"):
        number = _required(each, "ErrorCode")
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise _refused("ErrorCode is no number")
        errors.append(int(number))
    said = _child(root, "Receipt")
    if (said is None) is not bool(errors):
        raise _refused("there is either one Receipt or ErrorMessage")
    taken = said is not None and _required(said, "Message") == "SUCCESS"
    return Receipt(senders_file_id=known, taken=taken, errors=tuple(errors))


def _parsed(text: bytes) -> etree._Element:
    if len(text) > MOST_BYTES:
        raise _refused(f"the document is longer than {MOST_BYTES} bytes")
    # No entity is expanded and nothing is fetched; a document type would be the way to ask for either.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, recover=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise _refused("the document is not well-formed XML") from None
    if root.getroottree().docinfo.doctype or any(not isinstance(each.tag, str) for each in root.iter()):
        raise _refused("the document has a document type or entities")
    return root


def _root(name: str) -> etree._Element:
    return etree.Element(etree.QName(NAMESPACE, name), nsmap={_PREFIX: NAMESPACE})


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    made = etree.SubElement(parent, name)
    made.text = text
    return made


def _describe(root: etree._Element, described: Described) -> None:
    descriptor = _add(root, "FileDescriptor")
    _add(descriptor, "FileName", described.file)
    _add(descriptor, "SizeInBytes", str(described.size_bytes or 0))
    _add(descriptor, "Sender", described.sender)
    if described.senders_file_id is not None:
        _add(descriptor, "SendersFileId", described.senders_file_id)
    for recipient in described.recipients:
        _add(descriptor, "Recipients", recipient)
    content = _add(root, "FileContentDescriptor")
    for each in described.content:
        content.append(_parsed(each))


def _document(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _children(parent: etree._Element, name: str) -> list[etree._Element]:
    return [each for each in parent if etree.QName(each).localname == name]


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    found = _children(parent, name)
    if len(found) > 1:
        raise _refused(f"{name} stands more than once")
    return found[0] if found else None


def _required(parent: etree._Element, name: str) -> str:
    found = _child(parent, name)
    if found is None:
        raise _refused(f"{name} is missing")
    return _text(found, name)


def _text(element: etree._Element, name: str) -> str:
    text = (element.text or "").strip()
    if not text or len(text) > LONGEST_USER or len(element):
        raise _refused(f"{name} is empty, holds elements, or is longer than {LONGEST_USER} characters")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**64:
        raise _refused("SizeInBytes is no number of bytes")
    return int(text)


def _refused(what: str) -> ExchangeRefused:
    return ExchangeRefused(
        what, remedy=f"write the document in the form of {NAMESPACE} and upload the trigger again", rule="exchange.form"
    )
