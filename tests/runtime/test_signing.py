"""Signatures are checked with openssl alone, as the consumers' guide says."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.signing import Signer, SigningKeyInvalid


def checked(folder: Path) -> bool:
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "m.json.sig", "m.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    signer = Signer.open(tmp_path / "signing.key")
    (tmp_path / "key.pem").write_bytes(signer.public_pem)
    (tmp_path / "m.json").write_bytes(b'{"rows": 1}\n')
    (tmp_path / "m.json.sig").write_bytes(signer.sign(b'{"rows": 1}\n'))
    return tmp_path


def test_openssl_accepts_what_was_signed(signed: Path) -> None:
    assert checked(signed)


def test_openssl_refuses_another_document_and_another_key(signed: Path) -> None:
    (signed / "m.json").write_bytes(b'{"rows": 2}\n')
    assert not checked(signed)
    (signed / "m.json").write_bytes(b'{"rows": 1}\n')
    (signed / "key.pem").write_bytes(Signer.open(signed / "other.key").public_pem)
    assert not checked(signed)


def test_all_processes_get_one_key_that_only_the_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: Signer.open(path).public_pem, range(8)))
    assert len(found) == 1
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_said(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "signing.key").write_bytes(text)
    with pytest.raises(SigningKeyInvalid):
        Signer.open(tmp_path / "signing.key")
