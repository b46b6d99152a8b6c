from collections.abc import Iterator

import pytest

from tests.journeys.platform import Platform, make_stage, running


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One running platform for the tests that leave it as they found it: every door is open."""
    stage = make_stage(tmp_path_factory.mktemp("platform") / "instance")
    with stage.instance.settings_file.open("a") as settings:
        settings.write('\n[delivery]\nallow_networks = ["127.0.0.0/8"]\nlook_every_s = 0.3\n')
        settings.write("\n[sharing]\nenabled = true\n")
    with running(stage) as found:
        yield found
