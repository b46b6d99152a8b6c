"""An agreement as a document: a page to read, and everything signed, in one file."""

import io
import zipfile
from typing import Final

from api.answer import Answer
from api.errors import ParameterInvalid
from api.rest.admin.errand import Errand
from api.rest.admin.errors import DocumentsUnavailable
from control.documents import AgreementDocument, Language
from kernel import AgreementId

_KINDS: Final = {"html": (b"text/html; charset=utf-8", "html"), "text": (b"text/plain; charset=utf-8", "txt")}


def readable(errand: Errand) -> Answer:
    """In Danish unless said otherwise. Made from the text that is enforced; the header names the hash of that."""
    chosen = errand.request.parameters("language", "format")
    language, form = chosen.get("language", Language.DANISH), chosen.get("format", "html")
    if language not in set(Language) or form not in _KINDS:
        raise ParameterInvalid(
            "language or format is none that there is",
            remedy=f"language is one of {', '.join(Language)}; format of {', '.join(_KINDS)}",
        )
    made = _document_of(errand)
    media, ending = _KINDS[form]
    return _answer(made, made.files[f"agreement.{language}.{ending}"], media)


def signed(errand: Errand) -> Answer:
    """Every file with its signature: together, since a page made anew tells another time and has another signature."""
    errand.request.parameters()
    made = _document_of(errand)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, file in sorted(made.files.items()):
            bundle.writestr(name, file)
    answer = _answer(made, content.getvalue(), b"application/zip")
    name = f"agreement-{made.agreement}.zip"
    answer.headers.append((b"content-disposition", f'attachment; filename="{name}"'.encode("ascii")))
    return answer


def _document_of(errand: Errand) -> AgreementDocument:
    documents = errand.doors.documents
    if documents is None:
        raise DocumentsUnavailable("this process has no key to sign with", remedy="ask the operator")
    return documents(errand.store).of(AgreementId(errand.ids["agreement"]))


def _answer(made: AgreementDocument, content: bytes, media: bytes) -> Answer:
    headers = [
        (b"content-type", media),
        (b"cache-control", b"no-store"),
        # Texts in it were written by people; nothing in the page may run, or come from elsewhere.
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (b"x-content-type-options", b"nosniff"),
        (b"knudepunkt-terms-hash", made.hash.encode("ascii")),
    ]
    return Answer(200, headers, content)
