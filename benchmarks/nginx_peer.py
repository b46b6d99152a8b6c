"""nginx, the peer of benchmarks/extract.py for a finished file: with the instance's own certificates."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving_nginx(nginx: str, secrets: Path, authority: Path, file: Path, folder: Path) -> Iterator[int]:
    """nginx with one worker, sendfile and the instance's own certificates, which lie in `secrets`; the port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    home = folder / "nginx"
    (home / "files").mkdir(parents=True)
    # A link beside it, since the worker may run as another user than the instance's.
    (home / "files" / file.name).hardlink_to(file)
    certificate, key = (secrets / name for name in ("server.pem", "server.key"))
    (home / "nginx.conf").write_text(
        f"pid {home}/pid; error_log {home}/error.log; worker_processes 1; events {{ worker_connections 64; }}\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; client_body_temp_path {home}; proxy_temp_path {home};\n"
        f"fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};\n"
        f"server {{ listen 127.0.0.1:{port} ssl; server_name localhost; root {home}/files;\n"
        f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;\n"
        f"ssl_client_certificate {authority}; ssl_verify_client on; }} }}\n"
    )
    command = [nginx, "-p", f"{home}/", "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    with (home / "out.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: {(home / 'out.log').read_text()[-500:]}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)
