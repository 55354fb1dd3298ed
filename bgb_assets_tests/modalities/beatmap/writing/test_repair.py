import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.writing.export import FORMATS
from bgb_assets.modalities.beatmap.writing.repair import repair_map
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.beatmap.converting import read_map
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, simple_map, write_files

TWICE_DOWN = [{"b": beat, "x": 1, "c": 0, "d": 1} for beat in (8, 9, 10)]
ARC = {"b": 9, "x": 1, "d": 1, "tb": 10, "tx": 1, "tc": 1, "mu": 1, "tmu": 1}


@pytest.mark.parametrize("to", [None, *FORMATS])
def test_only_directions_change(tmp_path, to):
    source = write_files(
        simple_map(tmp_path / "map"), {"Expert.dat": difficulty_v3(*TWICE_DOWN, bombNotes=[{"b": 3}], sliders=[ARC])}
    )
    repaired = repair_map(source, tmp_path / "out", to)
    (mended,) = repaired.mended
    assert (mended.swings, mended.before, mended.after, mended.turned) == (3, 2, 0, 1)
    (before,), (after,) = read_map(source).readable, read_map(tmp_path / "out").readable
    assert after.version.major == {None: 3, "v2": 2, "v3": 3, "v4": 4}[to]
    old, new = before.parsed.objects, after.parsed.objects
    for kind, columns in old.items():
        for name in set(columns) - {"cut_direction", "cut", "tail_cut"}:
            assert np.array_equal(new[kind][name], columns[name]), (kind, name)
    assert new["notes"]["cut_direction"].tolist()[::2] == [1, 1]
    assert new["arcs"]["cut"][0] == new["notes"]["cut_direction"][1] != 1


def test_a_map_in_a_folder_of_its_zip_is_written_flat(tmp_path):
    source = simple_map(tmp_path / "packed" / "inside", *TWICE_DOWN)
    write_files(source, {"song.egg": b"RIFF", "cover.jpg": b"picture"})
    packed = shutil.make_archive(str(tmp_path / "map"), "zip", tmp_path / "packed")
    for name in ("a.zip", "b.zip"):
        assert repair_map(Path(packed), tmp_path / name).mended[0].turned == 1
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["Info.dat", "Expert.dat", "cover.jpg", "song.egg"]
        assert archive.read("song.egg") == b"RIFF"


def test_each_difficulty_is_judged_by_its_own_tempo(tmp_path):
    files = {("Standard", "Expert"): "Expert.dat", ("Standard", "Hard"): "Hard.dat"}
    slow = difficulty_v3(*TWICE_DOWN, bpmEvents=[{"b": 0, "m": 30}])  # 2 s from note to note: the hand moves back
    source = simple_map(tmp_path / "map", files=files)
    write_files(source, {"Expert.dat": difficulty_v3(*TWICE_DOWN), "Hard.dat": slow})
    turned = {one.difficulty: one.turned for one in repair_map(source, tmp_path / "out").mended}
    assert turned == {"Expert": 1, "Hard": 0}


def test_a_version_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no map format 'v1'"):
        repair_map(simple_map(tmp_path / "map"), tmp_path / "out", "v1")
