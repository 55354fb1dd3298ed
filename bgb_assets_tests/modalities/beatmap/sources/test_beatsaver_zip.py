import io
import json
import logging
import zipfile

import pytest

from bgb_assets.modalities.beatmap.sources.beatsaver_zip import check_zip, warn_of_other_content
from bgb_assets.modalities.contract import ArchiveLimits
from bgb_assets.runtime.errors import UnsafeArchive
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.beatsaver_server import map_zip


@pytest.fixture
def packed(tmp_path):
    content_hash, content = map_zip(1)
    path = tmp_path / "x.zip.part"
    path.write_bytes(content)
    return content_hash, path


def packed_files(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_whole_zip_passes(packed):
    check_zip(packed[1], ArchiveLimits())


def test_every_changed_byte_of_the_content_is_found(packed):
    content = packed[1].read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        starts = [info.header_offset + 30 + len(info.filename) for info in archive.infolist()]
    for at in starts:
        packed[1].write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(UnsafeArchive, match="is damaged"):
            check_zip(packed[1], ArchiveLimits())


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.999])
def test_a_beginning_is_no_zip(packed, kept):
    content = packed[1].read_bytes()
    packed[1].write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UnsafeArchive):
        check_zip(packed[1], ArchiveLimits())


def test_a_bomb_is_not_inflated_to_its_end(tmp_path):
    path = packed_files(tmp_path / "b.zip", {"Info.dat": bytes(5 << 20)})
    with pytest.raises(UnsafeArchive, match="inflates to more than 1048576 bytes"):
        check_zip(path, ArchiveLimits(max_bytes=1 << 20))


def said(caplog, path, stated):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        warn_of_other_content(path, stated, "m")
    return caplog.text


def test_the_right_hash_is_no_news(packed, caplog):
    assert said(caplog, packed[1], packed[0]) == ""


def test_another_hash_is_a_warning_that_names_both(packed, caplog):
    assert f"m: the files' hash is {packed[0]}, the API says {'0' * 40}" in said(caplog, packed[1], "0" * 40)


def test_a_map_in_a_folder_of_its_zip_has_the_same_hash(packed, tmp_path, caplog):
    with zipfile.ZipFile(packed[1]) as archive:
        files = {f"song/{name}": archive.read(name) for name in archive.namelist()}
    assert said(caplog, packed_files(tmp_path / "d.zip", files), packed[0]) == ""


def test_nothing_is_said_of_version_4_whose_recipe_is_not_known(tmp_path, caplog):
    info = next((shared_data("beatmap") / "wiki_snippets" / "info").glob("4.0.0*"))
    assert said(caplog, packed_files(tmp_path / "4.zip", {"Info.dat": info.read_bytes()}), "0" * 40) == ""


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"readme.txt": b"hello"}, "no Info.dat"),
        ({"Info.dat": b"{"}, "unexpected end"),
        ({"Info.dat": b"[]"}, "Info"),
        (
            {
                "Info.dat": json.dumps(
                    {
                        "_version": "2.0.0",
                        "_beatsPerMinute": 100,
                        "_difficultyBeatmapSets": [{"_difficultyBeatmaps": [{"_beatmapFilename": "Easy.dat"}]}],
                    }
                ).encode()
            },
            "Easy.dat",
        ),
    ],
)
def test_what_cannot_be_checked_is_said_and_left_to_raw(tmp_path, caplog, files, reason):
    text = said(caplog, packed_files(tmp_path / "u.zip", files), "0" * 40)
    assert "m: its hash cannot be checked" in text
    assert reason in text
