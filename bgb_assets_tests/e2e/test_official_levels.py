"""Official levels from a game folder to the manifest, through the command line and worker processes."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets_tests.driving import fan_in, opened_below, outcomes, walk
from bgb_assets_tests.e2e.songs import manifest_directory, open_chain
from bgb_assets_tests.modalities.beatmap.official_case import NOTES, SHIPPED, game_folder
from bgb_assets_tests.test_cli import Said, bgb, root_in_use

KEYS = ["official.100bills", "official.crabrave"]


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return game_folder(tmp_path_factory.mktemp("installed") / "Beat Saber")


def ingested(root: Path, game: Path, *options: object) -> Said:
    with root_in_use(root):
        return bgb("ingest", "beatmap", f"official:{game}", *options, "--json")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, game: Path) -> Path:
    """A data root that the game's levels were ingested into, by two worker processes."""
    root = tmp_path_factory.mktemp("official") / "data"
    said = ingested(root, game, "--workers", 2)
    assert (said.code, said.json()["new"]) == (0, KEYS), said.err
    return root


def test_the_broken_level_is_one_quarantine_row_that_names_its_bundle(root: Path) -> None:
    with root_in_use(root):
        rows = bgb("quarantine", "list", "beatmap", "--json").json()
    [row] = rows
    assert row["key"] == "official.broken"
    assert f"{SHIPPED}/broken: no TextAsset with path id 4711" in row["reason"]
    assert "verified" in row["remedy"]


def test_a_second_ingest_fetches_nothing_and_opens_no_file_of_the_game(root: Path, game: Path) -> None:
    with opened_below(game) as opened:
        said = ingested(root, game, "--workers", 0)
    report = said.json()
    assert (said.code, report["new"], report["changed"], report["held"]) == (0, [], [], KEYS)
    assert list(report["refused"]) == ["official.broken"]
    assert opened == []


def test_levels_reach_the_manifest_as_official(root: Path) -> None:
    chain = open_chain(root)
    assert outcomes(walk(chain)) == {key: dict.fromkeys(PER_UPLOAD_STAGES, "built") for key in KEYS}
    fan_in(chain, ["manifest"])
    songs = {row["upload"]: row for row in pq.read_table(manifest_directory(chain) / "songs.parquet").to_pylist()}
    assert {key: (row["source"], row["source_id"], row["title"]) for key, row in songs.items()} == {
        "official.100bills": ("official", "100Bills", "The song 100Bills"),
        "official.crabrave": ("official", "CrabRave", "Crab Rave"),
    }
    rows = pq.read_table(manifest_directory(chain) / "rows.parquet", columns=["upload"]).to_pylist()
    assert sum(row["upload"] == "official.100bills" for row in rows) == len(NOTES)


def test_the_same_game_elsewhere_gives_the_same_uploads(root: Path, tmp_path: Path) -> None:
    said = ingested(root, game_folder(tmp_path / "moved"), "--workers", 0)
    report = said.json()
    assert (report["new"], report["changed"]) == ([], [])
    assert report["touched"] == KEYS  # only where they come from is another


def test_another_data_root_has_the_same_facets(root: Path, game: Path, tmp_path: Path) -> None:
    assert ingested(tmp_path / "data", game, "--workers", 0).code == 0
    first, second = (
        {record.key: (record.facets, record.blobs) for record in open_chain(place).uploads.all()}
        for place in (root, tmp_path / "data")
    )
    assert first == second
    assert list(first) == KEYS


def test_a_plan_writes_nothing_into_the_data_root(game: Path, tmp_path: Path) -> None:
    said = ingested(tmp_path / "data", game, "--dry-run")
    assert said.json()["new"] == sorted([*KEYS, "official.broken"])
    assert list(open_chain(tmp_path / "data").uploads.all()) == []


def test_wrong_words_end_with_code_2(tmp_path: Path) -> None:
    with root_in_use(tmp_path / "data"):
        said = bgb("ingest", "beatmap", f"official:{tmp_path / 'nowhere'}")
    assert said.code == 2
    assert "no such folder" in said.err
