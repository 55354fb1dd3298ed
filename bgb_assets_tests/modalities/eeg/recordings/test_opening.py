import numpy as np

from bgb_assets.modalities.eeg.recordings.opening import open_recording
from bgb_assets_tests.modalities.eeg.recordings.edf_files import write_edf
from bgb_assets_tests.modalities.eeg.recordings.test_other_formats import brainvision


def test_the_suffix_says_who_reads(tmp_path):
    upper = write_edf(tmp_path / "A.edf").rename(tmp_path / "A.EDF")
    assert open_recording(upper).format == "edf"
    assert open_recording(write_edf(tmp_path / "b.bdf", bits=24)).bits == 24
    assert open_recording(brainvision(tmp_path / "c", np.zeros((300, 19)))).format == "brainvision"


def test_the_content_says_how_wide_the_samples_are(tmp_path):
    misnamed = write_edf(tmp_path / "a.bdf", bits=24).rename(tmp_path / "a.edf")
    assert (open_recording(misnamed).format, open_recording(misnamed).bits) == ("bdf", 24)
