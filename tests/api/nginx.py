"""Debian's nginx before a house's server, with the configuration that operators are given."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from api import Proxies, ProxySettings, make_app
from tests.api.house import House, serving
from tests.ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "docs" / "operating" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def behind_nginx(house: House, folder: Path) -> Iterator[int]:
    """The port on which nginx answers for a server that believes it."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    if not (house.root / "proxy.pem").exists():
        house.issue("proxy")
    proxies = Proxies(ProxySettings(addresses=("127.0.0.1",), certificates=(house.fingerprint("proxy"),)))
    port = free_port()
    with (
        serving(house, make_app(replace(house.doors(), proxies=proxies))) as (_, inner),
        _nginx(house, folder, port, inner),
    ):
        yield port


@contextmanager
def _nginx(house: House, folder: Path, port: int, inner: int) -> Iterator[None]:
    assert NGINX is not None
    for name in ("logs", "tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("server.pem", "server.key", "proxy.pem", "proxy.key"):
        shutil.copy(house.root / name, folder / name)
    for name in ("authorities.pem", "platform.pem"):
        (folder / name).write_bytes(house.authority.ca_pem)
    text = CONFIGURATION.read_text()
    # Of the operator's own configuration, the ports alone are others here.
    for told, here in (("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"), ("127.0.0.1:8443", f"127.0.0.1:{inner}")):
        assert text.count(told) == 1
        text = text.replace(told, here)
    (folder / "nginx.conf").write_text(text)
    said = (folder / "logs" / "start.log").open("wb")
    process = subprocess.Popen(
        [NGINX, "-p", f"{folder}/", "-c", "nginx.conf", "-g", "daemon off; master_process off;"],
        stdin=subprocess.DEVNULL, stdout=said, stderr=said,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "logs" / "start.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)
        said.close()
