"""SSH keys: one key, one system."""

import base64
import hashlib

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from control import ControlStore, Policy, load_policy, ssh_fingerprint
from control.errors import KeyRevoked, KeyUnknown, SshKeyRefused, Unregistered
from kernel import SystemId
from tests.control.builders import DAY, START, Cast


def line(key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def a_key() -> str:
    return line(ed25519.Ed25519PrivateKey.generate().public_key())


def policy_of(store: ControlStore) -> Policy:
    with store.reading() as db:
        return load_policy(db)


class TestFingerprint:
    @pytest.mark.parametrize(
        "key",
        [
            ed25519.Ed25519PrivateKey.generate().public_key(),
            ec.generate_private_key(ec.SECP256R1()).public_key(),
            ec.generate_private_key(ec.SECP521R1()).public_key(),
            rsa.generate_private_key(65537, 2048).public_key(),
        ],
        ids=["ed25519", "nistp256", "nistp521", "rsa"],
    )
    def test_it_is_what_an_ssh_server_computes_from_the_key_that_it_was_shown(
        self, key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    ) -> None:
        kind, blob = line(key).split()
        decoded = base64.b64decode(blob)
        assert paramiko.PKey.from_type_string(kind, decoded).asbytes() == decoded
        assert ssh_fingerprint(f"{kind} {blob} somebody@example.invalid") == hashlib.sha256(decoded).hexdigest()


class TestBinding:
    def test_a_bound_key_speaks_for_its_system(self, cast: Cast) -> None:
        bound = cast.store.bind_ssh_key(cast.system.id, a_key())
        caller = policy_of(cast.store).identify_key(bound.fingerprint, START)
        assert (caller.system, caller.organisation_cvr) == (cast.system.id, cast.supplier.cvr)
        assert caller.credential == bound.fingerprint

    def test_the_comment_is_not_kept(self, cast: Cast) -> None:
        key = a_key()
        assert cast.store.bind_ssh_key(cast.system.id, f"{key} somebody@example.invalid\n").public_key == key

    def test_a_key_is_bound_to_one_system(self, cast: Cast) -> None:
        key = a_key()
        cast.store.bind_ssh_key(cast.system.id, key)
        for system in (cast.system, cast.sibling):
            with pytest.raises(SshKeyRefused, match="already"):
                cast.store.bind_ssh_key(system.id, f"{key} another comment")

    def test_a_revoked_key_stays_bound_to_whom_it_was(self, cast: Cast) -> None:
        key = a_key()
        cast.store.revoke_ssh_key(cast.store.bind_ssh_key(cast.system.id, key).fingerprint)
        with pytest.raises(SshKeyRefused, match="already"):
            cast.store.bind_ssh_key(cast.sibling.id, key)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1kc3MAAACBAP",
            "ssh-rsa " + a_key().split()[1],
            a_key()[:-8],
            'command="sh" ' + a_key(),
            a_key() + "\n" + a_key(),
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            line(rsa.generate_private_key(65537, 1024).public_key()),
        ],
        ids=[
            "nothing",
            "no blob",
            "empty blob",
            "dsa",
            "two kinds",
            "cut",
            "options",
            "two keys",
            "private",
            "short rsa",
        ],
    )
    def test_what_is_not_one_good_public_key_is_refused(self, cast: Cast, text: str) -> None:
        with pytest.raises(SshKeyRefused):
            cast.store.bind_ssh_key(cast.system.id, text)

    def test_there_must_be_such_a_system(self, cast: Cast) -> None:
        with pytest.raises(Unregistered):
            cast.store.bind_ssh_key(SystemId("nobody"), a_key())


class TestRevoking:
    def test_a_revoked_key_is_told_so_and_when(self, cast: Cast) -> None:
        bound = cast.store.bind_ssh_key(cast.system.id, a_key())
        cast.store.revoke_ssh_key(bound.fingerprint)
        with pytest.raises(KeyRevoked, match="2031-02-10 08:00 UTC"):
            policy_of(cast.store).identify_key(bound.fingerprint, START)

    def test_revoking_again_keeps_the_first_time(self, cast: Cast) -> None:
        bound = cast.store.bind_ssh_key(cast.system.id, a_key())
        cast.store.revoke_ssh_key(bound.fingerprint)
        cast.clock.moment += DAY
        cast.store.revoke_ssh_key(bound.fingerprint)
        with pytest.raises(KeyRevoked, match="2031-02-10"):
            policy_of(cast.store).identify_key(bound.fingerprint, cast.clock.now())

    def test_a_key_that_was_never_bound_is_unknown(self, cast: Cast) -> None:
        with pytest.raises(KeyUnknown):
            policy_of(cast.store).identify_key("0" * 64, START)
        with pytest.raises(Unregistered):
            cast.store.revoke_ssh_key("0" * 64)
