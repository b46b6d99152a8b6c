"""The token road as an operator turns it on: by a file of certificates and a section of settings."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from api.tokens.errors import TokenIssuerInvalid
from runtime.instance import Instance
from runtime.settings import SettingsInvalid, load_settings
from runtime.tokens import tokens_of
from schemas import SHIPPED, load_registers
from tests.soap.saml import signing_certificate

REGISTERS = load_registers(SHIPPED)
ISSUER = '[tokens.issuers."https://saml.example.dk"]\ncertificates = ["{}"]\n'


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance(tmp_path)
    made.make_folders()
    return made


def write_certificate(path: Path, bits: int = 2_048) -> None:
    key = rsa.generate_private_key(65_537, bits)
    path.write_bytes(signing_certificate(key).public_bytes(Encoding.PEM))


def turned_on(instance: Instance, text: str) -> object:
    settings = instance.root / "knudepunkt.toml"
    settings.write_text(text, encoding="utf-8")
    return tokens_of(instance, load_settings(settings), REGISTERS)


def test_off_without_an_issuer(instance: Instance) -> None:
    assert turned_on(instance, "") is None
    assert not instance.token_key.exists()


def test_on_with_one_and_the_key_is_kept(instance: Instance) -> None:
    write_certificate(instance.root / "token.pem")
    assert turned_on(instance, ISSUER.format("token.pem")) is not None
    key = instance.token_key.read_bytes()
    assert turned_on(instance, ISSUER.format(instance.root / "token.pem")) is not None
    assert instance.token_key.read_bytes() == key
    assert instance.token_key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"x", "no certificate"), (b"weak", "has a key that is neither")]
)
def test_an_issuer_that_cannot_be_used_is_said_at_the_start(
    instance: Instance, content: bytes | None, said: str
) -> None:
    file = instance.root / "token.pem"
    if content == b"weak":
        write_certificate(file, 1_024)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(TokenIssuerInvalid, match=said) as refused:
        turned_on(instance, ISSUER.format("token.pem"))
    assert "https://saml.example.dk" in refused.value.message


def test_an_issuer_without_certificates_is_no_setting(instance: Instance) -> None:
    with pytest.raises(SettingsInvalid):
        turned_on(instance, ISSUER.format("").replace('""', ""))
