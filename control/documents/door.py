from collections.abc import Callable
from typing import TYPE_CHECKING

from control.agreements.deed import hash_of
from control.agreements.door import Agreements
from control.documents.rendering import render_html, render_text
from control.documents.values import AgreementDocument, Language
from control.errors import AgreementInvalid
from kernel import AgreementId, ServiceName
from schemas import Registers, ServiceUnknown

if TYPE_CHECKING:
    from control.store import ControlStore

Sign = Callable[[bytes], bytes]
"""A detached signature over some bytes."""


class Documents:
    """Agreements as signed documents, for whoever may see the agreement.

    registers         what services are called; None where that is not known
    sign, public_pem  the instance's signing key
    """

    def __init__(self, store: "ControlStore", registers: Registers | None, *, sign: Sign, public_pem: bytes) -> None:
        self._store, self._registers = store, registers
        self._sign, self._public_pem = sign, public_pem

    def of(self, agreement: AgreementId) -> AgreementDocument:
        """Raises Unregistered, and AgreementInvalid for one that has no deed, or a damaged one."""
        door = Agreements(self._store, self._registers)
        text, deed = door.deed(agreement)
        if deed is None:
            raise AgreementInvalid(
                "the agreement was made by the first release, which wrote no document",
                remedy="renew it: the new one has a document",
                rule="agreement.deed",
            )
        history, at = door.history(agreement), self._store.clock.now()
        files = {"agreement.json": text.encode()}
        for language in Language:
            for kind, render in (("html", render_html), ("txt", render_text)):
                made = render(deed, history, language, title_of=self._title_of, at=at)
                files[f"agreement.{language}.{kind}"] = made.encode()
        files |= {f"{name}.sig": self._sign(content) for name, content in files.items()}
        files["signing-key.pem"] = self._public_pem
        return AgreementDocument(agreement=agreement, hash=hash_of(text), files=files)

    def _title_of(self, service: ServiceName, language: Language) -> str:
        if self._registers is None:
            return ""
        try:
            return self._registers.service(service).title.get(language, "")
        except ServiceUnknown:
            return ""
