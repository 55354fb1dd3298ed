import os
from pathlib import Path

import pytest
import yaml

from bgb_assets.orchestration.home import default_yaml, is_batched, open_instance, prepare_home
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests.fixtures import REPOSITORY


@pytest.fixture
def settings(data_root, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return load_settings({"BGB_DATA_ROOT": str(data_root)})


def test_the_home_lies_in_the_data_root(settings, data_root):
    home = prepare_home(settings)
    assert home == data_root / "dagster_home"
    assert (home / "dagster.yaml").read_bytes() == default_yaml()
    assert os.environ["DAGSTER_HOME"] == str(home)


def test_a_home_that_is_set_is_used_and_made(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    assert prepare_home(settings) == tmp_path / "elsewhere"
    assert (tmp_path / "elsewhere" / "dagster.yaml").is_file()


def test_a_relative_home_becomes_absolute(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "here")
    assert prepare_home(settings) == tmp_path / "here"
    assert Path(os.environ["DAGSTER_HOME"]).is_absolute()


def test_a_yaml_of_the_users_own_stays(settings, data_root):
    home = data_root / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    prepare_home(settings)
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    with open_instance(settings) as instance:
        assert not is_batched(instance)


def test_the_projects_own_instance(settings):
    with open_instance(settings) as instance:
        assert is_batched(instance)
        assert instance.get_settings("freshness") == {"enabled": True}
        assert instance.run_coordinator.dequeue_interval_seconds == 1


def test_the_tracked_yaml_is_the_one_that_is_shipped():
    assert yaml.safe_load((REPOSITORY / "data" / "dagster_home" / "dagster.yaml").read_bytes()) == yaml.safe_load(
        default_yaml()
    )
