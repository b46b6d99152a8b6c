"""Pushing to OpenSSH's own server: whole, in order, gone on with after a cut, and to no other server."""

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from extract.delivery.faults import TargetDenied, TargetFaulty, TargetRefused, TargetUnreachable, TargetUntrusted
from extract.delivery.push_sftp import SftpSender
from extract.delivery.ssh_keys import private_key
from extract.delivery.targets import Reach
from runtime.ssh_keys import new_ssh_key
from tests.delivery.builders import NOW, a_parcel, handover
from tests.delivery.receivers import LOCAL, Sshd, cutting, openssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with openssh(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def sshd(server: Sshd) -> Sshd:
    for each in server.inbox.iterdir():
        each.unlink()
    return server


def sender(sshd: Sshd, **target: Any) -> SftpSender:
    return SftpSender(target=sshd.target(**target), key=sshd.key, reach=LOCAL, timeout_s=60)


class TestWhole:
    def test_file_manifest_and_trigger_are_there_and_nothing_else(self, sshd: Sshd, tmp_path: Path) -> None:
        parcel = a_parcel(tmp_path, os.urandom(3_000_001))
        placing: list[str] = []
        assert sender(sshd).send(parcel, handover(placing=placing)) is False
        assert sshd.names() == ["town.csv", "town.csv.manifest.json", "town.csv.trigger"]
        arrived = sshd.inbox / "town.csv"
        assert hashlib.sha256(arrived.read_bytes()).hexdigest() == parcel.sha256
        assert arrived.stat().st_mtime == NOW.timestamp()
        assert (sshd.inbox / "town.csv.manifest.json").read_bytes() == parcel.manifest
        assert (sshd.inbox / "town.csv.trigger").read_text() == f"{parcel.sha256}  town.csv\n"
        assert placing == ["placed"]

    def test_an_empty_file_is_a_delivery_too(self, sshd: Sshd, tmp_path: Path) -> None:
        sender(sshd).send(a_parcel(tmp_path, b""), handover())
        assert (sshd.inbox / "town.csv").stat().st_size == 0

    def test_without_a_trigger_the_name_tells(self, sshd: Sshd, tmp_path: Path) -> None:
        sender(sshd, trigger="none").send(a_parcel(tmp_path), handover())
        assert sshd.names() == ["town.csv", "town.csv.manifest.json"]

    def test_a_delivery_asked_for_once_more_takes_the_place_of_the_first(self, sshd: Sshd, tmp_path: Path) -> None:
        sender(sshd).send(a_parcel(tmp_path, b"damaged"), handover())
        sender(sshd).send(a_parcel(tmp_path, b"mended"), handover())
        assert (sshd.inbox / "town.csv").read_bytes() == b"mended"
        assert len(sshd.names()) == 3


class TestGoingOn:
    @pytest.mark.parametrize("seed", range(4))
    def test_a_line_that_is_cut_anywhere_costs_no_byte_twice_and_loses_none(
        self, sshd: Sshd, tmp_path: Path, seed: int
    ) -> None:
        chance = random.Random(seed)
        parcel = a_parcel(tmp_path, chance.randbytes(6_000_000))
        placed = False
        with cutting(sshd.port) as line:
            line.cuts = [chance.randrange(2_000, 4_000_000) for _ in range(5)]
            for _ in range(8):
                said: list[str] = []
                try:
                    sender(sshd, port=line.port).send(parcel, handover(placed=placed, placing=said))
                except TargetUnreachable:
                    placed = placed or bool(said)
                else:
                    break
            else:
                raise AssertionError("it never arrived")
        assert sshd.names() == ["town.csv", "town.csv.manifest.json", "town.csv.trigger"]
        assert hashlib.sha256((sshd.inbox / "town.csv").read_bytes()).hexdigest() == parcel.sha256

    def test_what_the_server_has_is_not_sent_again(self, sshd: Sshd, tmp_path: Path) -> None:
        content = os.urandom(4_000_000)
        parcel = a_parcel(tmp_path, content)
        part = sshd.inbox / f".town.csv.{parcel.sha256[:8]}.part"
        part.write_bytes(content[:3_900_000])
        with cutting(sshd.port) as line:
            # A line that lets no more through than the rest needs.
            line.cuts = [400_000]
            sender(sshd, port=line.port).send(parcel, handover())
        assert (sshd.inbox / "town.csv").read_bytes() == content

    @pytest.mark.parametrize("there", [b"other bytes", b"x" * 20_000_000])
    def test_what_the_server_has_of_other_bytes_is_not_gone_on_with(
        self, sshd: Sshd, tmp_path: Path, there: bytes
    ) -> None:
        parcel = a_parcel(tmp_path, os.urandom(1_000_000))
        (sshd.inbox / f".town.csv.{parcel.sha256[:8]}.part").write_bytes(there)
        sender(sshd).send(parcel, handover())
        assert hashlib.sha256((sshd.inbox / "town.csv").read_bytes()).hexdigest() == parcel.sha256

    @pytest.mark.parametrize("trigger", ["trigger", "none"])
    def test_one_that_the_receiver_took_away_is_not_sent_twice(self, sshd: Sshd, tmp_path: Path, trigger: str) -> None:
        # Killed after the last act and before it was written down; the receiver was quick.
        sender(sshd, trigger=trigger).send(a_parcel(tmp_path), handover(placed=True))
        assert sshd.names() == []

    def test_one_that_lacks_its_trigger_gets_it(self, sshd: Sshd, tmp_path: Path) -> None:
        parcel = a_parcel(tmp_path)
        (sshd.inbox / "town.csv").write_bytes(parcel.path.read_bytes())
        sender(sshd).send(parcel, handover(placed=True))
        assert "town.csv.trigger" in sshd.names()


class TestRefusals:
    def test_a_server_with_another_key_gets_nothing(self, sshd: Sshd, tmp_path: Path) -> None:
        other = " ".join(new_ssh_key("other")[1].decode().split()[:2])
        with pytest.raises(TargetUntrusted):
            sender(sshd, host_key=other).send(a_parcel(tmp_path), handover())
        assert sshd.names() == []

    def test_a_server_that_does_not_know_our_key(self, sshd: Sshd, tmp_path: Path) -> None:
        (tmp_path / "other").write_bytes(new_ssh_key("other")[0])
        stranger = SftpSender(target=sshd.target(), key=private_key(tmp_path / "other"), reach=LOCAL, timeout_s=60)
        with pytest.raises(TargetDenied):
            stranger.send(a_parcel(tmp_path), handover())

    def test_a_folder_that_is_not_there(self, sshd: Sshd, tmp_path: Path) -> None:
        with pytest.raises(TargetFaulty):
            sender(sshd, folder=str(sshd.inbox / "nowhere")).send(a_parcel(tmp_path), handover())

    def test_a_folder_in_the_place_of_the_file(self, sshd: Sshd, tmp_path: Path) -> None:
        parcel = a_parcel(tmp_path)
        part = sshd.inbox / f".town.csv.{parcel.sha256[:8]}.part"
        part.mkdir()
        try:
            with pytest.raises(TargetFaulty):
                sender(sshd).send(parcel, handover())
        finally:
            part.rmdir()

    def test_a_server_that_is_not_there(self, sshd: Sshd, tmp_path: Path) -> None:
        with pytest.raises(TargetUnreachable):
            sender(sshd, port=1).send(a_parcel(tmp_path), handover())

    def test_nothing_goes_to_an_inner_address_unless_the_operator_allows_it(self, sshd: Sshd, tmp_path: Path) -> None:
        closed = SftpSender(target=sshd.target(), key=sshd.key, reach=Reach(), timeout_s=60)
        with pytest.raises(TargetRefused):
            closed.send(a_parcel(tmp_path), handover())
