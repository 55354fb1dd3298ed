import hashlib
import json
import shutil

import edfio
import numpy as np
import pytest

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.recordings.edf_files import (
    REFERENTIAL,
    make_discontinuous,
    patch,
    signal_field,
    write_edf,
)
from bgb_assets_tests.modalities.eeg.uploads import run_cache, run_raw

STIM = "9097598bc6ee6e96e378cc042bf441f3831b5390376a8ffe709c75a9395d3b3f"


def chain(tmp_path, upload):
    """Return (result, header, samples of the first file) of stage cache."""
    run_raw(upload, tmp_path / "raw", unlabelled="background")
    result = run_cache(upload, tmp_path / "raw", tmp_path / "cache")
    header = json.loads((tmp_path / "cache" / "header.json").read_text())
    return result, header, samples_of(tmp_path / "cache", header["groups"][0])


def samples_of(folder, group):
    return np.fromfile(folder / group["file"], group["dtype"]).reshape(group["samples"], len(group["channels"]))


def test_a_real_recording_is_stored_to_the_bit(tmp_path):
    source = shared_data("eeg") / "edf" / "test_edf_stim_channel.edf"
    (tmp_path / "in").mkdir()
    shutil.copy(source, tmp_path / "in")
    result, header, samples = chain(tmp_path, tmp_path / "in")
    stored = (tmp_path / "cache" / "signal.i16").read_bytes()
    assert samples.shape == (1228, 19)
    assert hashlib.sha256(stored).hexdigest() == STIM
    peer = edfio.read_edf(source)
    for place, name in enumerate(header["names"]):
        expected = peer.get_signal(f"EEG {name}")
        np.testing.assert_array_equal(samples[:, place], expected.digital)
        microvolts = header["gain"][place] * samples[:, place] + header["offset"][place]
        np.testing.assert_allclose(microvolts, expected.data, rtol=0, atol=1e-9)
    assert result.metadata == {"channels": 19, "rate_hz": 128.0, "samples": 1228, "segments": 1, "bytes": 46_664}


def test_a_real_brainvision_recording_is_stored_to_the_bit(tmp_path):
    shutil.copytree(shared_data("eeg") / "brainvision", tmp_path / "in")
    _, header, samples = chain(tmp_path, tmp_path / "in")
    delivered = np.fromfile(tmp_path / "in" / "test.eeg", "<i2").reshape(-1, 32)
    assert header["names"] == [name for name in CANONICAL if name not in ("T3", "T4")]
    np.testing.assert_array_equal(samples[:, 0], delivered[:, 0])
    np.testing.assert_array_equal(samples[:, header["names"].index("T5")], delivered[:, 12])
    assert header["gain"] == [0.5] * 17


@pytest.mark.parametrize("bits", [16, 24])
def test_integers_and_microvolts_are_those_of_edfio(tmp_path, bits):
    path = write_edf(tmp_path / "in" / f"a.{'edf' if bits == 16 else 'bdf'}", bits=bits, units="mV")
    _, header, samples = chain(tmp_path, tmp_path / "in")
    peer = edfio.read_edf(path) if bits == 16 else edfio.read_bdf(path)
    assert header["file"] == f"signal.{'i16' if bits == 16 else 'i32'}"
    for place, signal in enumerate(peer.signals):
        np.testing.assert_array_equal(samples[:, place], signal.digital)
        microvolts = header["gain"][place] * samples[:, place] + header["offset"][place]
        np.testing.assert_allclose(microvolts, signal.data * 1e3, rtol=0, atol=1e-8)


def test_a_turned_pair_keeps_its_integers_and_turns_its_gain(tmp_path):
    labels = ["F7-Fp1", "F7-T3", "T3-T5", "T5-O1", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]
    path = write_edf(tmp_path / "in" / "a.edf", labels)
    _, header, samples = chain(tmp_path, tmp_path / "in")
    place = header["names"].index("Fp1-F7")
    signal = edfio.read_edf(path).signals[0]
    np.testing.assert_array_equal(samples[:, place], signal.digital)
    microvolts = header["gain"][place] * samples[:, place] + header["offset"][place]
    np.testing.assert_allclose(microvolts, -signal.data, atol=1e-9)
    assert (header["kind"], min(header["gain"])) == ("bipolar", header["gain"][place])


def test_channels_of_another_rate_lie_in_a_file_of_their_own(tmp_path):
    path = write_edf(tmp_path / "in" / "a.edf", [*REFERENTIAL, "marker"], rates_hz=[512, *[256] * 18, 1])
    _, header, samples = chain(tmp_path, tmp_path / "in")
    peer = edfio.read_edf(path)
    main, other = header["groups"]
    assert (main["rate_hz"], main["channels"], main["samples"]) == (256.0, list(range(1, 19)), 1024)
    assert (other["rate_hz"], other["channels"], other["segments"]) == (512.0, [0], [[0, 2048, 0.0]])
    np.testing.assert_array_equal(samples[:, 0], peer.signals[1].digital)
    np.testing.assert_array_equal(samples_of(tmp_path / "cache", other)[:, 0], peer.signals[0].digital)


def test_the_facet_follows_samples_gains_and_gaps_and_nothing_else(tmp_path):
    facets = {}
    for name in ("same", "again", "start", "gap", "range", "sample", "label"):
        path = write_edf(tmp_path / name / "in" / "a.edf", annotations=[])
        if name == "start":
            patch(path, slice(168, 176), "07:05:21")
        if name == "gap":
            make_discontinuous(path, {3: 1})
        if name == "range":
            patch(path, signal_field(20, 0, "physical_max"), "8001")
        if name == "sample":
            content = bytearray(path.read_bytes())
            content[256 * 21 + 5] ^= 1
            path.write_bytes(bytes(content))
        if name == "label":
            patch(path, signal_field(20, 0, "label"), "Fp1")
        facets[name] = chain(tmp_path / name, tmp_path / name / "in")[0].facets["signal"]
    assert {name for name, facet in facets.items() if facet == facets["same"]} == {"same", "again", "start", "label"}
    assert len(set(facets.values())) == 4


def test_the_header_names_segments_start_and_repairs(tmp_path):
    path = make_discontinuous(write_edf(tmp_path / "in" / "a.edf", annotations=[]), {2: 3})
    path.write_bytes(path.read_bytes() + b"\0")
    _, header, samples = chain(tmp_path, tmp_path / "in")
    assert header["segments"] == [[0, 512, 0.0], [512, 512, 5.0]]
    assert header["repairs"] == ["1 bytes after the last record are left out"]
    assert (header["start"], header["reference"], header["rate_hz"]) == ("2021-05-06T07:08:09", None, 256.0)
    assert samples.shape == (1024, 19)


def test_the_reference_named_in_every_label_is_said(tmp_path):
    write_edf(tmp_path / "in" / "a.edf", [f"{name}-Cz" for name in CANONICAL if name != "Cz"])
    _, header, _ = chain(tmp_path, tmp_path / "in")
    assert (header["reference"], len(header["names"])) == ("Cz", 18)
