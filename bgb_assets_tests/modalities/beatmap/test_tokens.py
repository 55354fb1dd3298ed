import json

import numpy as np
import pytest

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.beatmap.manifest import ManifestParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.splits import SplitParams
from bgb_assets_tests.modalities.beatmap.songs_case import Store, facts
from bgb_assets_tests.modalities.beatmap.tokens_case import TokenStore


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    root = tmp_path_factory.mktemp("tokens")
    synth(root / "inbox", 3, 1)
    store = Store(root)
    for path in sorted((root / "inbox").iterdir()):
        if path.is_dir():
            store.add(path.name, path)
    return store


@pytest.fixture
def case(songs):
    return TokenStore(Store(songs.root, dict(songs.members)))


def test_every_included_difficulty_is_a_sample_that_decodes_to_its_notes(case, tmp_path):
    result = case.tokens(tmp_path / "index")
    store = ShardStore(case.songs.root, tmp_path / "index")
    rows = read_rows(case.fan_in().inputs["manifest"]).to_pylist()
    assert store.index.column("split").tolist() == [row["split"] for row in rows]
    assert store.index.samples["sample"].to_pylist() == [row["row_id"] for row in rows]
    for number, row in enumerate(rows):
        tokens = store["tokens", number]
        assert len(decode(tokens)["notes"]["beat"]) == row["notes"]
        assert store["bar_notes", number].sum() == row["notes"]
        assert (tokens[store["bar_starts", number]] == v.BAR).all()
        assert len(store["bar_starts", number]) == row["frames"] // 64 == store.column("bars")[number]
        seconds = store["bar_seconds", number]
        assert len(seconds) == len(store["bar_starts", number]) + 1
        assert seconds[0] == 0
        assert row["seconds"] <= seconds[-1] < row["seconds"] + 4 * 60 / 30
        assert store.source(number).shape == (row["frames"], 81)
        assert store.column("length")[number] == len(tokens)
    assert result.metadata["samples"] == len(rows) == 8
    assert result.metadata["tokens"] == store.column("length").sum()


def test_the_index_is_byte_stable_and_holds_the_mirror(case, tmp_path):
    first, second = (case.tokens(tmp_path / name) for name in "ab")
    assert first == second
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["index.json", "mirror.npy", "samples.parquet"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert np.array_equal(np.load(tmp_path / "a" / "mirror.npy"), v.mirror_table())
    assert json.loads((tmp_path / "a" / "index.json").read_bytes())["upstream"]["vocabulary"] == v.digest()


def test_splits_and_scores_rewrite_no_shard(case, tmp_path):
    case.tokens(tmp_path / "a")
    case.songs.again("song_0000", "song_0000", **facts(score=0.85))
    case.tokens(tmp_path / "b", manifest=ManifestParams(split=SplitParams(val=0.9, test=0.0)))
    assert case.made == []
    a, b = (ShardStore(case.songs.root, tmp_path / name) for name in "ab")
    assert a.column("split").tolist() != b.column("split").tolist()
    assert set(b.column("token_quality")[:3].tolist()) == {v.QUAL.start + 4}
    assert b.column("weight")[0] == pytest.approx(0.85)


def test_small_shards_hold_the_same_samples_and_a_new_song_rewrites_few(case, tmp_path):
    small = TokenParams(shard_bytes=1)
    case.tokens(tmp_path / "whole")
    everyone = dict(case.songs.members)
    del case.songs.members["song_0002"]
    case.tokens(tmp_path / "two", small)
    assert len(case.made) == 2
    case.songs.members.update(everyone)
    case.tokens(tmp_path / "three", small)
    assert len(case.made) == 1
    whole, cut = (ShardStore(case.songs.root, tmp_path / name) for name in ("whole", "three"))
    place = {name: number for number, name in enumerate(cut.index.samples["sample"].to_pylist())}
    for number, name in enumerate(whole.index.samples["sample"].to_pylist()):
        assert np.array_equal(whole["tokens", number], cut["tokens", place[name]])


def test_left_out_difficulties_have_no_tokens(case, tmp_path):
    case.tokens(tmp_path / "a", manifest=ManifestParams(FilterParams(difficulties=("Expert",))))
    store = ShardStore(case.songs.root, tmp_path / "a")
    assert set(store.index.samples["difficulty"].to_pylist()) == {"Expert"}


def test_an_empty_manifest_is_an_empty_index_with_a_warning(case, tmp_path):
    result = case.tokens(tmp_path / "a", manifest=ManifestParams(FilterParams(difficulties=("Easy",))))
    assert result.metadata["samples"] == 0
    assert "nothing to train on" in result.warnings[0]
    assert len(ShardStore(case.songs.root, tmp_path / "a")) == 0
