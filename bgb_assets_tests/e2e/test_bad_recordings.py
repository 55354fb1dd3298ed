"""Bad recordings: one quarantine row each with a reason and a remedy; odd ones go on, and it is said what is odd.

A recording shorter than a window has one padded window; a damaged signal is found and made again.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.chain import Chain
from bgb_assets.engine.outcomes import UploadOutcome
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets_tests import driving
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.e2e.recordings import open_chain
from bgb_assets_tests.e2e.spoiled_recordings import ACCEPTED, REFUSED, STEM, Spoil
from bgb_assets_tests.test_cli import bgb, root_in_use

SETTINGS = f"{SETTLE_AT_ONCE}[run]\nquarantine_count = {len(REFUSED)}\n"
MANIFEST = ("manifest", "tokens")


def key(spoil: Spoil) -> str:
    return f"{spoil.__name__}%2F{STEM}"


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with all of them, brought as far as tokens in one run."""
    root = tmp_path_factory.mktemp("spoiled") / "data"
    for spoil in (*REFUSED, *ACCEPTED):
        folder = root / "inbox" / "eeg" / spoil.__name__
        folder.mkdir(parents=True)
        spoil(folder)
    (root / "config.toml").write_text(SETTINGS)
    driving.calls_through_tokens(open_chain(root))
    return root


@pytest.fixture(scope="module")
def chain(spoiled: Path) -> Chain:
    return open_chain(spoiled)


@pytest.fixture(scope="module")
def walked(chain: Chain) -> Mapping[str, UploadOutcome]:
    return driving.walk(chain)


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_a_bad_recording_has_one_row_with_reason_and_remedy(chain: Chain, spoiled: Path, spoil: Spoil) -> None:
    reason, remedy = REFUSED[spoil]
    (row,) = [row for row in chain.rejections() if row.key == key(spoil)]
    assert (row.stage, row.kind) == ("raw", "input")
    assert row.reason.startswith(f"eeg/raw {key(spoil)!r}: ")
    assert reason in row.reason
    assert remedy in row.remedy
    assert str(spoiled) not in row.reason
    assert "\n" not in row.reason


def test_the_others_go_on(chain: Chain) -> None:
    assert sorted(row.key for row in chain.rejections()) == sorted(map(key, REFUSED))


@pytest.mark.parametrize("spoil", ACCEPTED, ids=lambda spoil: spoil.__name__)
def test_an_odd_recording_goes_on_and_what_is_odd_is_said(walked: Mapping[str, UploadOutcome], spoil: Spoil) -> None:
    warning, samples, ictal = ACCEPTED[spoil]
    stages = walked[key(spoil)].stages
    said = [text for outcome in stages.values() for text in outcome.warnings]
    assert any(warning in text for text in said), said
    record = stages["features"].record
    assert record is not None
    assert record.metadata["n"] == samples
    notes = stages["notes"].record
    assert notes is not None
    assert notes.metadata["ictal_s"] == ictal / 256


def test_a_channel_that_cannot_be_used_is_absent_and_filled(walked: Mapping[str, UploadOutcome]) -> None:
    for name in ("a_channel_without_a_range", "a_channel_that_is_no_voltage"):
        record = walked[f"{name}%2F{STEM}"].stages["features"].record
        assert record is not None
        assert record.metadata["channel_state"] == [0, 1, *[0] * 17], name


def test_short_recordings_have_one_padded_window_in_each_segment(spoiled: Path, chain: Chain) -> None:
    outcomes = driving.fan_in(chain, MANIFEST)
    windows = pq.read_table(chain.store.directory(outcomes["manifest"].record) / "windows.parquet")
    assert windows.num_rows == len(ACCEPTED) + 1, "the one with a gap has two"
    assert max(windows.column("valid_samples").to_pylist()) == 1_024
    index = WindowIndex(spoiled, chain.store.directory(outcomes["tokens"].record))
    held = index.read(np.arange(len(index)))
    assert held["signal"].shape == (len(index), 15_360, 19)
    assert held["valid"].sum(1).max() == 64
    assert not held["signal"][:, 1_024:].any()


def test_a_damaged_signal_is_found_by_its_digest_and_made_again(spoiled: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("no_unit", "one_electrode_twice"):
        shutil.copytree(spoiled / "inbox" / "eeg" / name, root / "inbox" / "eeg" / name)
    with root_in_use(root):
        assert bgb("ingest", "eeg").code == 0
        assert bgb("materialize", "eeg", "--through", "features").code == 0
        signal = next((root / "features" / "eeg").rglob("signal.i16"))
        whole = signal.read_bytes()
        signal.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        said = bgb("cache", "verify", "eeg")
        assert (said.code, signal.parent.name in said.out) == (1, True)
        shutil.rmtree(signal.parent)
        assert bgb("materialize", "eeg", "--through", "features").code == 0
        assert signal.read_bytes() == whole
        assert bgb("cache", "verify", "eeg").code == 0
