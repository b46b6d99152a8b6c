"""An instance keeps the environment that it was founded for."""

from pathlib import Path

import pytest

from runtime.environment import settings_of
from runtime.founding import found_instance
from runtime.instance import InstanceExists


def test_production_cannot_be_turned_into_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = found_instance(tmp_path, environment="production")
    assert settings_of(instance).environment == "production"
    monkeypatch.setenv("KNUDEPUNKT_ENVIRONMENT", "test")
    with pytest.raises(InstanceExists, match="of the production environment, and its settings say test"):
        settings_of(instance)
    with pytest.raises(InstanceExists):
        found_instance(tmp_path, environment="test")


def test_founding_again_changes_nothing(tmp_path: Path) -> None:
    found_instance(tmp_path, environment="production")
    with pytest.raises(InstanceExists, match="is an instance of the production"):
        found_instance(tmp_path, environment="test")
    assert settings_of(found_instance(tmp_path, environment="production")).environment == "production"


def test_the_test_authority_vouches_for_nobody_in_production(tmp_path: Path) -> None:
    assert list(found_instance(tmp_path / "production", environment="production").trust.iterdir()) == []
    assert len(list(found_instance(tmp_path / "test", environment="test").trust.iterdir())) == 1
