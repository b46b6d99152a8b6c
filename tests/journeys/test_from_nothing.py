"""The guide's road from nothing to a first call, run as it stands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.journeys.platform import Platform

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "administration.md"


def commands() -> str:
    """Every shell block of the section, one after the other."""
    section = GUIDE.read_text(encoding="utf-8").partition("## From nothing to a first call\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 4
    return "\n".join(blocks)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
class TestFromNothing:
    def test_the_commands_of_the_guide_lead_there(self, platform: Platform, tmp_path: Path) -> None:
        authority = platform.stage.profile.authority
        script = commands().replace("https://localhost:8443", platform.url)
        # A loaded machine is given more time than a reader needs.
        script = script.replace("instance/clients/demo/authority.pem", str(authority)).replace("sleep 1", "sleep 3")
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        me = json.loads((tmp_path / "care.json").read_text())
        assert me["as"] == "system"
        assert json.loads((tmp_path / "hello.json").read_text()) == {"message": "hello"}
        assert me["system"]["trial"] is not None
        assert {each["name"] for each in me["agreements"][0]["services"]} == {"municipalities", "cpr-persons"}
        assert json.loads((tmp_path / "answer.json").read_text())["record"]["name"] == "Aalborg"
