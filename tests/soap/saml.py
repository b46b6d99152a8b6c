"""A token service outside: it signs SAML assertions as the established one does. And what only a forger does."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from kernel import new_id
from tests.api.house import AALBORG, Client, Reply

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
ISSUER = "https://saml.tokens.example.dk"
DEMO_ENTITY = "http://demo.prod-serviceplatformen.dk/service/DemoService/1"
MUNICIPALITIES_ENTITY = "urn:knudepunkt:municipalities:1"
CVR_ATTRIBUTE = "dk:gov:saml:attribute:CvrNumberIdentifier"
HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TOKEN_PATH = "/service/AccessTokenService_1/token"


class _AnySigner(XMLSigner):
    """Signs with SHA-1 too, which the library refuses to."""

    def check_deprecated_methods(self) -> None:
        return


def signing_certificate(key: rsa.RSAPrivateKey, *, days: int = 30) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Token service")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    start, end = sorted((now - timedelta(days=1), now + timedelta(days=days)))
    return made.not_valid_before(start).not_valid_after(end).sign(key, SHA256())


@dataclass
class TokenService:
    name: str = ISSUER
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2_048))
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.certificate = signing_certificate(self.key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def assertion(
        self,
        holder_pem: bytes,
        *,
        audiences: Sequence[str] = (DEMO_ENTITY,),
        cvrs: Sequence[str] = (AALBORG,),
        starts: timedelta = timedelta(0),
        lasts: timedelta = timedelta(hours=8),
        method: str = HOLDER_OF_KEY,
        condition: str = "",
        made_id: str | None = None,
    ) -> Any:
        """An assertion that nobody has signed yet."""
        start = datetime.now(UTC) + starts
        end = start + lasts
        holder = b64encode(x509.load_pem_x509_certificate(holder_pem).public_bytes(Encoding.DER)).decode()
        window = f'NotBefore="{_shown(start)}" NotOnOrAfter="{_shown(end)}"'
        attributes = "".join(
            f'<Attribute Name="{CVR_ATTRIBUTE}"><AttributeValue>{each}</AttributeValue></Attribute>' for each in cvrs
        )
        named = "".join(f"<Audience>{each}</Audience>" for each in audiences)
        return etree.fromstring(
            f'<Assertion xmlns="{SAML}" ID="{made_id or f"_{new_id()}"}" Version="2.0" IssueInstant="{_shown(start)}">'
            f"<Issuer>{self.name}</Issuer>"
            f'<Subject><NameID>C=DK,CN=soapy</NameID><SubjectConfirmation Method="{method}">'
            f'<SubjectConfirmationData><KeyInfo xmlns="{DSIG}"><X509Data><X509Certificate>{holder}</X509Certificate>'
            "</X509Data></KeyInfo></SubjectConfirmationData></SubjectConfirmation></Subject>"
            f"<Conditions {window}><AudienceRestriction>{named}</AudienceRestriction>{condition}</Conditions>"
            f'<AttributeStatement><Attribute Name="dk:gov:saml:attribute:AssuranceLevel"><AttributeValue>3'
            f"</AttributeValue></Attribute>{attributes}</AttributeStatement></Assertion>"
        )

    def signed(
        self, assertion: Any, *, algorithm: SignatureMethod = SignatureMethod.RSA_SHA256, reference: str | None = None
    ) -> Any:
        signer = _AnySigner(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=algorithm,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        return signer.sign(
            assertion, key=self.key, cert=[self.certificate], reference_uri=reference or assertion.get("ID"),
            id_attribute="ID",
        )  # fmt: skip

    def token(self, holder_pem: bytes, **changed: Any) -> str:
        return text_of(self.signed(self.assertion(holder_pem, **changed)))


def text_of(assertion: Any) -> str:
    return bytes(etree.tostring(assertion)).decode()


def exchange(client: Client, token: str, **fields: str) -> Reply:
    form = urlencode({"saml-token": token, **fields}).encode()
    return client.call("POST", TOKEN_PATH, form, {"Content-Type": "application/x-www-form-urlencoded"})


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
