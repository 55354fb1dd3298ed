from pathlib import Path

import pytest

from bgb_assets.modalities.beatmap.sources.official_game import child, find_game
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.beatmap.official_case import put
from bgb_assets_tests.modalities.beatmap.unity_bundles import Bundle

UNITY_FILE = Bundle("x").content()
STREAMING = "Beat Saber_Data/StreamingAssets"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, f"{STREAMING}/aa/StandaloneWindows64/OstVol1_Pack_assets_all_12.bundle", UNITY_FILE)
    put(tmp_path, f"{STREAMING}/aa/StandaloneWindows64/shared_assets_all_34.bundle", UNITY_FILE)
    put(tmp_path, f"{STREAMING}/aa/catalog.json", b"{}")
    put(tmp_path, f"{STREAMING}/BeatmapLevelsData/100bills", UNITY_FILE)
    put(tmp_path, f"{STREAMING}/BeatmapLevelsData/100bills.manifest", b"text")
    put(tmp_path, f"{STREAMING}/BeatmapLevelsData/.hidden", UNITY_FILE)
    put(tmp_path, "DLC/Levels/Crab Rave/crab_12", UNITY_FILE)
    put(tmp_path, "DLC/Levels/Crab Rave/readme.txt", b"no bundle")
    return tmp_path


def seen(folder: Path) -> list[str]:
    game = find_game(folder)
    return [f"{level.level_id}: {game.label(level.path)}" for level in game.levels()]


ALL = [f"100bills: {STREAMING}/BeatmapLevelsData/100bills", "Crab Rave: DLC/Levels/Crab Rave/crab_12"]


@pytest.mark.parametrize("given", ["", "Beat Saber_Data", STREAMING])
def test_one_folder_gives_packs_and_levels(root: Path, given: str) -> None:
    game = find_game(root / given)
    assert seen(root / given) == ALL
    assert [name for name, _ in game.packs()] == ["ostvol1"]
    assert [path.name for path in game.shared_bundles()] == [
        "OstVol1_Pack_assets_all_12.bundle",
        "shared_assets_all_34.bundle",
    ]


def test_levels_come_from_the_folder_given_and_from_no_other(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    put(other, f"{STREAMING}/BeatmapLevelsData/another", UNITY_FILE)
    assert seen(other) == [f"another: {STREAMING}/BeatmapLevelsData/another"]
    assert list(find_game(other).packs()) == []


def test_folders_are_found_whatever_their_case(tmp_path: Path) -> None:
    put(tmp_path, "beat saber_data/streamingassets/AA/x/a_PACK_assets_all_1.BUNDLE", UNITY_FILE)
    put(tmp_path, "beat saber_data/streamingassets/beatmaplevelsdata/one", UNITY_FILE)
    put(tmp_path, "dlc/LEVELS/two/two", UNITY_FILE)
    assert [line.partition(":")[0] for line in seen(tmp_path)] == ["one", "two"]
    assert [name for name, _ in find_game(tmp_path).packs()] == ["a"]


def test_the_exact_case_is_preferred(tmp_path: Path) -> None:
    for name in ("AA", "aa", "aA"):
        (tmp_path / name).mkdir()
    assert child(tmp_path, "aa") == tmp_path / "aa"
    assert child(tmp_path, "Aa") == tmp_path / "AA"
    assert child(tmp_path, "b") is None


def test_several_bundles_of_one_bought_level_are_told_apart(root: Path) -> None:
    put(root, "DLC/Levels/Crab Rave/other_34", UNITY_FILE)
    assert [line.partition(":")[0] for line in seen(root)[1:]] == ["Crab Rave.crab_12", "Crab Rave.other_34"]


def test_a_bought_level_without_a_bundle_is_seen_all_the_same(root: Path) -> None:
    put(root, "DLC/Levels/Crab Rave/crab_12", b"not a bundle")
    (root / "DLC/Levels/Crab Rave/readme.txt").unlink()
    assert seen(root) == ALL


def test_levels_beside_the_packs_are_seen(root: Path) -> None:
    put(root, f"{STREAMING}/aa/StandaloneWindows64/BeatmapLevelsData/third", UNITY_FILE)
    assert {line.partition(":")[0] for line in seen(root)} == {"100bills", "third", "Crab Rave"}


def test_a_folder_that_is_no_game_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no StreamingAssets there"):
        find_game(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        find_game(put(tmp_path, "file", b""))
