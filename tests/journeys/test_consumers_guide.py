"""The consumers' guide, run as it stands: every block of commands, one after the other."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.platform import Platform

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "consumers.md"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None or shutil.which("sftp") is None, reason="jq or sftp is not installed")
def test_the_commands_of_the_guide_run(platform: Platform, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 9
    script = "\n".join(blocks).replace("https://localhost:8443", platform.url)
    script = script.replace("C=instance/clients/demo", f"C={platform.stage.profile.folder}")
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
           "KNUDEPUNKT_INSTANCE": str(platform.instance.root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verified OK" in done.stdout
    assert "as it should be" in done.stdout
    fresh = {row["pnr"]: row for row in map(json.loads, (tmp_path / "fresh.ndjson").read_text().splitlines())}
    assert len(fresh) == 60
    assert (tmp_path / "persons.parquet.manifest.json").is_file()
    assert json.loads((tmp_path / "subscription.json").read_text())["kind"] == "changes"
