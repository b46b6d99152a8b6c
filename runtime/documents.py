"""Agreements as documents, signed with the instance's own key."""

from pathlib import Path

from control import ControlStore
from control.documents import AgreementDocument, Documents
from runtime.files import write_whole
from runtime.instance import Instance
from runtime.signing import Signer
from schemas import SHIPPED, load_registers


def documents_of(instance: Instance, store: ControlStore) -> Documents:
    """For whoever the store acts for. Raises SigningKeyInvalid."""
    signer = Signer.open(instance.signing_key)
    registers = load_registers(SHIPPED, instance.registers)
    return Documents(store, registers, sign=signer.sign, public_pem=signer.public_pem)


def write_document(document: AgreementDocument, folder: Path) -> None:
    """Every file of it, in a folder that is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in document.files.items():
        write_whole(folder / name, content, 0o644)
