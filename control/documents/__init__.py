"""Documents: an agreement as people read it, in Danish and English, made from the text that is enforced, and signed."""

from control.documents.door import Documents
from control.documents.values import AgreementDocument, Language

__all__ = ["AgreementDocument", "Documents", "Language"]
