import json

import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.signal import stored
from bgb_assets.modalities.eeg.signal.stored import Stretch, open_stored
from bgb_assets.runtime.errors import StoreError
from bgb_assets_tests.modalities.eeg.stored_recordings import noise, write_groups, write_stored


def test_what_was_written_is_read(tmp_path, monkeypatch):
    microvolts = noise(3, 256)
    recording = open_stored(
        write_stored(tmp_path / "cache", microvolts, 256.0, segments=[[0, 500, 0.0], [500, 268, 9.5]])
    )
    assert (recording.names, recording.kind, recording.reference) == (CANONICAL, "referential", None)
    assert recording.main.stretches == (Stretch(0, 500, 0.0), Stretch(500, 268, 9.5))
    assert recording.seconds == 3.0
    monkeypatch.setattr(stored, "_BLOCK", 100)
    blocks = list(recording.main.blocks(recording.main.stretches[1]))
    assert [block.shape for block in blocks] == [(19, 100), (19, 100), (19, 68)]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1).T * 0.1, microvolts[500:], atol=0.051)
    lowest, highest = recording.main.limits()
    np.testing.assert_array_equal(lowest, recording.main.integers.min(axis=0))
    np.testing.assert_array_equal(highest, recording.main.integers.max(axis=0))


def test_microvolts_above_a_sample_are_exact_differences(tmp_path):
    constant = np.full((20, 19), 312_345.6)
    group = open_stored(write_stored(tmp_path / "cache", constant, 256.0)).main
    assert group.integers.dtype == np.dtype("<i4")
    (block,) = group.blocks(group.stretches[0])
    assert not group.above(group.integers[0], block).any()
    np.testing.assert_allclose(group.above(group.integers[0] - 10, block), 1.0)


def test_channels_of_several_rates(tmp_path):
    groups = [(256.0, range(18), noise(2, 256, 18), None), (128.0, [18], noise(2, 128, 1), None)]
    recording = open_stored(write_groups(tmp_path / "cache", groups))
    assert [group.rate_hz for group in recording.groups] == [256.0, 128.0]
    assert recording.groups[1].integers.shape == (256, 1)


def test_files_that_do_not_fit_are_refused(tmp_path):
    folder = write_stored(tmp_path / "cache", noise(1, 256), 256.0)
    with (folder / "signal.i16").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(StoreError, match=r"signal\.i16: header\.json tells of 9728 bytes, got 9729; build the entry"):
        open_stored(folder)


def test_rates_with_other_segments_are_refused(tmp_path):
    two = [[0, 64, 0.0], [64, 64, 2.0]]
    groups = [(256.0, range(18), noise(1, 256, 18), None), (128.0, [18], noise(1, 128, 1), two)]
    with pytest.raises(StoreError, match=r"different rates have \[1, 2\] segments"):
        open_stored(write_groups(tmp_path / "cache", groups))


def test_no_sample_at_all(tmp_path):
    folder = write_stored(tmp_path / "cache", np.zeros((0, 19)), 256.0)
    assert json.loads((folder / "header.json").read_text())["samples"] == 0
    assert open_stored(folder).seconds == 0.0
