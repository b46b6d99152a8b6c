"""Addresses that nothing is sent to, and targets that are not as they must be."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.delivery.faults import TargetInvalid, TargetRefused, TargetUnreachable
from extract.delivery.targets import HttpsTarget, Reach, SftpTarget, Shelf, target_of, told_of

INNER = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:0a00:1::1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1",
]  # fmt: skip
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJZr0FQw2v1m3k5yqzj5mJxkqfK9vVfU3D5G0Ck1r2aB"
SFTP: dict[str, Any] = {"kind": "sftp", "host": "sftp.example", "user": "us", "host_key": KEY}


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_refused_however_it_is_dressed(address: str) -> None:
    with pytest.raises(TargetRefused):
        Reach(resolve=lambda *_: [address]).address("receiver.example", 443)


@pytest.mark.parametrize("address", INNER[:8])
def test_one_inner_address_among_others_is_enough(address: str) -> None:
    with pytest.raises(TargetRefused):
        Reach(resolve=lambda *_: ["8.8.8.8", address]).address("receiver.example", 443)


@pytest.mark.parametrize("name", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "0177.0.0.1"])
def test_other_ways_to_write_an_inner_address(name: str) -> None:
    with pytest.raises((TargetRefused, TargetUnreachable)):
        Reach().address(name, 443)


def test_an_outer_address_and_one_that_the_operator_allows() -> None:
    reach = Reach((ip_network("10.20.0.0/16"),), resolve=lambda host, _: [host])
    assert reach.address("8.8.8.8", 443) == "8.8.8.8"
    assert reach.address("10.20.3.4", 443) == "10.20.3.4"
    with pytest.raises(TargetRefused):
        reach.address("10.21.3.4", 443)


def test_the_name_is_asked_once_and_the_line_goes_to_what_was_checked() -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    with pytest.raises(TargetUnreachable):
        Reach((ip_network("127.0.0.0/8"),), resolve=rebinding).connect("receiver.example", 1, 2)
    assert asked == ["receiver.example"]


@pytest.mark.parametrize(
    "told",
    [
        {}, {"kind": "ftp"}, {"kind": ["sftp"]}, {"kind": "shelf", "path": "/etc"}, {"kind": "sftp"},
        SFTP | {"host": "a b"}, SFTP | {"host": "-oProxyCommand=x"}, SFTP | {"host": ""}, SFTP | {"port": 0},
        SFTP | {"port": "22"}, SFTP | {"port": True}, SFTP | {"user": "-l root"}, SFTP | {"host_key": "none"},
        SFTP | {"folder": "a\nb"}, SFTP | {"folder": "a\0b"}, SFTP | {"trigger": "../x"}, SFTP | {"password": "x"},
        {"kind": "https"}, {"kind": "https", "url": "http://a.example/"}, {"kind": "https", "url": "file:///etc/passwd"},
        {"kind": "https", "url": "https://user:secret@a.example/"}, {"kind": "https", "url": "https://a.example/#x"},
        {"kind": "https", "url": "https://a.example/\r\nHost: b"}, {"kind": "https", "url": "https://"},
        {"kind": "https", "url": "https://a.example:99999/"}, {"kind": "https", "url": 7},
        {"kind": "https", "url": "https://a.example/", "notify": "yes"},
    ],
)  # fmt: skip
def test_a_target_that_is_not_as_it_must_be_is_refused_and_not_repeated(told: Mapping[str, Any]) -> None:
    with pytest.raises(TargetInvalid) as refusal:
        target_of(told)
    assert "secret" not in refusal.value.message + refusal.value.remedy


@pytest.mark.parametrize(
    "target",
    [
        Shelf(), SftpTarget(host="sftp.example", user="us", host_key=KEY, folder="in", trigger="done"),
        HttpsTarget(url="https://a.example/in", notify=True),
    ],
)  # fmt: skip
def test_told_and_made_again(target: Shelf | SftpTarget | HttpsTarget) -> None:
    assert target_of(told_of(target)) == target


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.integers(), st.text(max_size=8), st.booleans())))
def test_whatever_is_told_the_answer_is_a_target_or_a_refusal(told: dict[str, Any]) -> None:
    for kind in ("sftp", "https", "shelf"):
        try:
            target_of(told | {"kind": kind})
        except TargetInvalid:
            continue
