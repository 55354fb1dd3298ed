import pytest

from bgb_assets.modalities.eeg.pictures.recording_file import file_pictures
from bgb_assets.runtime.errors import BadInput, UsageError
from bgb_assets_tests.fixtures import REPOSITORY, shared_data

SAMPLES = REPOSITORY / "data" / "samples" / "eeg"
FEATURES = {"features-traces", "features-quality", "features-spectrum"}


def sample(folder):
    return next((SAMPLES / folder).rglob("*.edf"))


@pytest.mark.parametrize("folder", ["train", "dev", "eval"])
def test_a_sample_has_all_pictures_and_its_labels_are_found(folder):
    assert set(file_pictures(sample(folder))) == {*FEATURES, "notes-traces"}


def test_a_folder_is_drawn_as_its_file(tmp_path):
    assert set(file_pictures(sample("eval").parent)) == {*FEATURES, "notes-traces"}


def test_a_recording_without_labels_is_drawn_without_them(tmp_path):
    (tmp_path / "a.edf").write_bytes(sample("dev").read_bytes())
    assert set(file_pictures(tmp_path / "a.edf")) == FEATURES


def test_a_real_recording_of_ten_seconds_is_drawn():
    path = shared_data("eeg") / "edf" / "test_edf_stim_channel.edf"
    assert set(file_pictures(path)) >= FEATURES


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        file_pictures(tmp_path / "gone.edf")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match="no recording"):
        file_pictures(tmp_path / "a.txt")
    (tmp_path / "b.edf").write_bytes(b"0" * 300)
    with pytest.raises(BadInput):
        file_pictures(tmp_path / "b.edf")
