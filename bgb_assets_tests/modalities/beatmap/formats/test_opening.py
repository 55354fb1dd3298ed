import shutil
import zipfile

import pytest

from bgb_assets.modalities.beatmap.formats.opening import opened_map
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.runtime.errors import BadInput, UnsafeArchive, UsageError
from bgb_assets_tests.modalities.beatmap.map_files import simple_map


def zipped(folder, path, below=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{below}{file.name}")
    return path


def test_a_folder_is_read_where_it_lies(tmp_path):
    folder = simple_map(tmp_path / "map")
    with opened_map(folder) as directory:
        assert directory == folder


@pytest.mark.parametrize("below", ["", "a folder/"])
def test_a_zip_is_unpacked_for_the_time_being(tmp_path, below):
    path = zipped(simple_map(tmp_path / "map"), tmp_path / "map.zip", below)
    with opened_map(path) as directory:
        assert read_song(directory).info.title == "A song"
    assert not directory.exists()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["map", "map.zip"]


def test_other_archives_are_opened_too(tmp_path):
    path = shutil.make_archive(str(tmp_path / "map"), "gztar", simple_map(tmp_path / "map"))
    with opened_map(tmp_path / "map.tar.gz") as directory:
        assert read_song(directory).info.title == "A song"
    assert path.endswith("map.tar.gz")


def test_what_cannot_be_opened_is_said(tmp_path):
    with pytest.raises(UsageError, match="no such map; give a folder or a zip"), opened_map(tmp_path / "none"):
        pass
    (tmp_path / "song.ogg").write_bytes(b"OggS")
    with pytest.raises(BadInput, match="is neither a folder nor an archive"), opened_map(tmp_path / "song.ogg"):
        pass
    (tmp_path / "map.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(UnsafeArchive, match=r"archive 'map\.zip' is damaged"), opened_map(tmp_path / "map.zip"):
        pass


def test_an_archive_that_climbs_out_writes_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "map.zip", "w") as archive:
        archive.writestr("Info.dat", "{}")
        archive.writestr("../escaped.dat", "{}")
    with pytest.raises(UnsafeArchive), opened_map(tmp_path / "map.zip"):
        pass
    assert [item.name for item in tmp_path.iterdir()] == ["map.zip"]
    assert not (tmp_path.parent / "escaped.dat").exists()
