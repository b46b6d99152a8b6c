"""What the programs of this folder have in common: how they are asked, and how they begin processes to be killed."""

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def asked(module: str, doc: str | None, **more: int) -> argparse.Namespace:
    """The command line's `--kills`, `--seed` and further numbers (name -> default), told on standard output."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc)
    for name, default in {"kills": 200, "seed": random.randrange(10**6), **more}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    told = ", ".join(f"{name} {value}" for name, value in vars(given).items())
    sys.stdout.write(f"{told}\n")
    sys.stdout.flush()
    return given


@contextmanager
def begun(module: str, *arguments: str, log: Path, pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    """`python -m module`, whose standard output is a pipe; killed at the end."""
    with log.open("ab") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE, stderr=err, text=True, pass_fds=pass_fds,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
