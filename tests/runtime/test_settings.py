from pathlib import Path

import pytest

from runtime.settings import SettingsInvalid, load_settings


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "knudepunkt.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestLoadSettings:
    def test_takes_what_the_file_says_and_defaults_for_the_rest(self, tmp_path: Path) -> None:
        found = load_settings(settings_file(tmp_path, "[api]\nport = 9443\n[usage]\nfsync_ms = 5\n"))
        assert (found.api.port, found.api.workers, found.usage.fsync_ms) == (9443, 1, 5)

    def test_lets_the_environment_override_a_value(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KNUDEPUNKT_API__PORT", "1234")
        found = load_settings(settings_file(tmp_path, "[api]\nport = 9443\nworkers = 2\n"))
        assert (found.api.port, found.api.workers) == (1234, 2)

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("[api]\nprot = 1\n", "api.prot"),
            ("[apy]\nport = 1\n", "apy"),
            ("[api]\nport = 'x'\n", "api.port"),
            ("[api]\nport = 70000\n", "api.port"),
            ("[api\n", "not TOML"),
            ("environment = 'prod'\n", "environment"),
            ("[usage]\nfsync_ms = -1\n", "fsync_ms"),
            ("[sftp]\nworkers = -1\n", "sftp.workers"),
        ],
    )
    def test_names_what_cannot_be_used(self, tmp_path: Path, text: str, named: str) -> None:
        with pytest.raises(SettingsInvalid) as refusal:
            load_settings(settings_file(tmp_path, text))
        assert named in refusal.value.message
        assert refusal.value.remedy

    def test_gives_sftp_as_many_processes_as_the_machine_can_use_unless_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = settings_file(tmp_path, "[sftp]\nport = 2022\n")
        for cores, processes in ((1, 2), (2, 4), (8, 16), (64, 16)):
            monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
            assert load_settings(file).sftp.processes == processes
        assert load_settings(settings_file(tmp_path, "[sftp]\nworkers = 3\n")).sftp.processes == 3
