"""The toy as a code location on an instance of its own."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from bgb_assets.orchestration.home import open_instance
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests import toy
from bgb_assets_tests.orchestration.in_process import Location


@pytest.fixture
def instance(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The project's own instance over an empty data root."""
    monkeypatch.setenv("BGB_DATA_ROOT", str(data_root))
    monkeypatch.setenv("DAGSTER_HOME", str(data_root / "dagster_home"))
    with open_instance(load_settings()) as opened:
        yield opened


@pytest.fixture
def inbox(data_root: Path) -> Path:
    """The toy's inbox, empty."""
    folder = data_root / "inbox" / "toy"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def location(instance: dg.DagsterInstance, toy_dir: Path) -> Location:
    """The toy's assets; its stages note their calls."""
    return Location(toy.MODALITY, instance)
