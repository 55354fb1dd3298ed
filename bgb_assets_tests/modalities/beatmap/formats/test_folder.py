import pytest

from bgb_assets.modalities.beatmap.formats.folder import open_folder
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.map_files import write_files


def test_info_is_found_whatever_its_case_and_names_without_case(tmp_path):
    folder = open_folder(write_files(tmp_path, {"INFO.DAT": b"{}", "EXPERT.dat": b"{}", "a/x.dat": b""}))
    assert folder.info == "INFO.DAT"
    assert folder.find("expert.DAT") == "EXPERT.dat"
    assert folder.find("a\\x.dat") == "a/x.dat"
    assert folder.find("../EXPERT.dat") is None
    assert not folder.named_exactly("Expert.dat", "EXPERT.dat")


def test_an_exact_name_goes_before_one_in_another_case(tmp_path):
    folder = open_folder(write_files(tmp_path, {"info.dat": b"{}", "A.dat": b"", "a.dat": b""}))
    assert folder.find("a.dat") == "a.dat"
    assert folder.find("A.DAT") == "A.dat"


def test_version_1_info_is_used_only_without_an_info_dat(tmp_path):
    assert open_folder(write_files(tmp_path / "1", {"info.json": b"{}"})).info == "info.json"
    assert open_folder(write_files(tmp_path / "2", {"info.json": b"{}", "Info.dat": b"{}"})).info == "Info.dat"


def test_a_map_in_a_single_sub_folder_is_found_and_its_names_lie_there(tmp_path):
    files = {"song/Info.dat": b"{}", "song/Easy.dat": b"", "__MACOSX/song/._Info.dat": b"", ".DS_Store": b""}
    folder = open_folder(write_files(tmp_path, files))
    assert folder.info == "song/Info.dat"
    assert folder.find("easy.dat") == "song/Easy.dat"
    assert folder.files == ("song/Easy.dat", "song/Info.dat")


def test_a_copy_in_a_sub_folder_does_not_hide_the_map_itself(tmp_path):
    assert open_folder(write_files(tmp_path, {"Info.dat": b"", "autosaves/Info.dat": b""})).info == "Info.dat"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"Info.dat": b"", "info.dat": b""}, "more than one Info file: ['Info.dat', 'info.dat']"),
        ({"a/Info.dat": b"", "b/Info.dat": b""}, "more than one Info file: ['a/Info.dat', 'b/Info.dat']"),
        ({"song.egg": b"", "Info.dat.part": b""}, "no Info.dat or info.json among 1 files (song.egg)"),
        ({}, "the folder is empty, expected an Info.dat"),
    ],
)
def test_no_info_or_two_is_refused(tmp_path, files, reason):
    with pytest.raises(BadInput) as caught:
        open_folder(write_files(tmp_path, files))
    assert caught.value.reason == reason
