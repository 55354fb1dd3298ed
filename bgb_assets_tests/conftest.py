"""Fixtures shared by all tests: a data root, the toy's folder for calls and trouble, and a chain over both.

Belongs here: what more than one package of tests needs. Does not belong here: real recordings (`fixtures`).
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from bgb_assets.chain import Chain
from bgb_assets.modalities.contract import Modality
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests import toy
from bgb_assets_tests.driving import everything
from bgb_assets_tests.toy_source import Shelf

MakeChain = Callable[..., Chain]

# What a test takes depends on what else the machine does: no test is timed, and neither is the drawing of examples.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

SETTLE_AT_ONCE = "[inbox]\nsettle_s = 0.0\n"


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start: a shell that runs pytest in the background has all of them ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the flush to the platter, several milliseconds each: only a power cut would show the difference."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr("bgb_assets.storage.catalog.SYNCHRONOUS", "OFF")


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """An empty data root whose inbox never waits for files to stop growing."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    return root


@pytest.fixture
def toy_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the toy's stages note their calls and find what to do."""
    folder = tmp_path / "toy"
    folder.mkdir()
    monkeypatch.setenv(toy.TOY_DIR, str(folder))
    return folder


@pytest.fixture
def make_chain(data_root: Path) -> MakeChain:
    """`make_chain(modality=toy.MODALITY)`: a new chain as a new process would have it, reading `config.toml` anew."""

    def make(modality: Modality = toy.MODALITY, root: Path = data_root) -> Chain:
        return Chain(modality, load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())

    return make


@pytest.fixture
def inbox(data_root: Path) -> Path:
    """Three toy uploads: with words, with a word, without."""
    toy.write_upload(data_root / "inbox" / "toy" / "first", "1 2 3 4", "One two")
    toy.write_upload(data_root / "inbox" / "toy" / "second", "5 6 7", "three")
    toy.write_upload(data_root / "inbox" / "toy" / "third", "8 9 10 11", None)
    return data_root / "inbox" / "toy"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A source of three toy uploads."""
    shelf = Shelf(tmp_path / "shelf")
    for name, numbers in (("a", "1 2 3"), ("b", "4 5"), ("c", "6 7 8 9")):
        shelf.put(name, {"a.txt": numbers, "b.txt": f"word {name}"})
    return shelf


@pytest.fixture
def built(inbox: Path, make_chain: MakeChain) -> Path:
    """The inbox after its uploads went through the whole chain."""
    everything(make_chain())
    return inbox
