import json

import numpy as np
import pytest

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.beatmap.manifest import ManifestParams
from bgb_assets.modalities.beatmap.pictures import report_corpus
from bgb_assets.modalities.beatmap.report import pictures
from bgb_assets.modalities.beatmap.sequences.token_classes import CONFUSION_FILE, NAMES, class_of_id
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.splits import SplitParams
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.report_case import texts
from bgb_assets_tests.modalities.beatmap.songs_case import Store
from bgb_assets_tests.modalities.beatmap.tokens_case import TokenStore

PARAMS = ManifestParams(split=SplitParams(val=0.5, test=0.0))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store of three songs with audio and a real map without, their manifest and tokens."""
    root = tmp_path_factory.mktemp("corpus")
    synth(root / "inbox", 3, 1)
    songs = Store(root)
    for path in sorted((root / "inbox").iterdir()):
        if path.is_dir():
            songs.add(path.name, path)
    songs.add("werewolf_howls", shared_data("beatmap") / "maps" / "werewolf_howls")
    TokenStore(songs).tokens(root / "index", manifest=PARAMS)
    directory, _ = songs.manifest(PARAMS)
    (root / "manifest_entry").symlink_to(directory)
    return root


@pytest.fixture
def manifest(root):
    return (root / "manifest_entry").resolve()


def heights(axes):
    """Return what the bars of some axes add up to."""
    return sum(patch.get_height() for patch in axes.patches)


def test_the_stages_have_their_pictures(root, manifest):
    entries = {"manifest": manifest, "tokens": root / "index", "model": root, "logs": root / "no_logs"}
    names = {stage: set(pictures(stage, entries, root)) for stage in entries}
    drawn = {stage: held for stage, held in names.items() if held}
    assert drawn == {"manifest": {"counts", "timing", "pace"}, "tokens": {"lengths", "classes"}}


def test_every_difficulty_is_counted_once(root, manifest):
    rows = read_rows(manifest)
    by_difficulty, by_split, by_reason = report_corpus.counts(manifest).axes
    assert heights(by_difficulty) == heights(by_split) == rows.num_rows
    left_out = rows.num_rows - sum(rows.column("included").to_pylist())
    assert sum(patch.get_width() for patch in by_reason.patches) == left_out > 0
    written = texts(report_corpus.counts(manifest))
    assert {"no_audio", "Expert", "train", "included", "left out"} <= set(written)
    assert f"{rows.num_rows} difficulties, {rows.num_rows - left_out} included" in written


def test_the_timing_is_that_of_difficulties_with_audio(root, manifest):
    figure = report_corpus.timing(manifest, root)
    with_audio = sum(bool(mel) for mel in read_rows(manifest).column("mel").to_pylist())
    assert all(heights(axes) == with_audio for axes in figure.axes)
    limits = sorted(float(line.get_xdata()[0]) for axes in figure.axes for line in axes.lines)
    assert limits == [0.0, 1.3, 80.0]


def test_the_pace_is_told_by_difficulty(manifest):
    figure = report_corpus.pace(manifest)
    rows = read_rows(manifest)
    assert heights(figure.axes[0]) == sum(nps is not None for nps in rows.column("nps").to_pylist())
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[-1].startswith("ExpertPlus: 1, median 8.7/s")


def test_lengths_and_classes_are_those_of_the_shards(root, monkeypatch):
    store = ShardStore(root, root / "index")
    ids = np.concatenate([store["tokens", row] for row in range(len(store))])
    told = f"{len(store)} sequences, {len(ids):,} tokens, "
    assert any(text.startswith(told) for text in texts(report_corpus.lengths(root / "index")))
    figure = report_corpus.classes(root / "index", root)
    counted = np.bincount(class_of_id()[ids], minlength=len(NAMES))
    shares = sorted(100 * counted[counted > 0] / counted.sum())
    assert [patch.get_width() for patch in figure.axes[0].patches] == pytest.approx(shares)
    monkeypatch.setattr(report_corpus, "MAX_TOKENS", len(ids) // 2)
    assert any(f" of {len(ids):,} tokens" in text for text in texts(report_corpus.classes(root / "index", root)))


def test_what_is_taken_for_what_is_told_in_percent(tmp_path):
    counts = np.zeros((len(NAMES), len(NAMES)), int)
    note, pos = NAMES.index("note"), NAMES.index("pos")
    counts[note, note], counts[note, pos] = 3, 1
    content = {"classes": list(NAMES), "counts": counts.tolist(), "windows": 2, "of": 9}
    (tmp_path / CONFUSION_FILE).write_text(json.dumps(content))
    written = texts(report_corpus.confusion(tmp_path))
    assert {"75.0", "25.0", "note (4)", "pos (0)"} <= set(written)
    assert any("2 of 9 validation windows" in text for text in written)
    assert not {"bar", "bomb"} & set(written)


@pytest.mark.parametrize("content", [None, {"windows": 0, "of": 0, "classes": [], "counts": []}])
def test_without_validation_there_is_no_confusion(tmp_path, content):
    if content is not None:
        (tmp_path / CONFUSION_FILE).write_text(json.dumps(content))
    assert report_corpus.confusion(tmp_path) is None


def test_curves_show_losses_and_accuracies(tmp_path, monkeypatch):
    steps = np.array([1, 2])
    names = ("train/loss", "validation/loss", "validation/pos_accuracy", "time/step_s")
    monkeypatch.setattr(report_corpus, "read_curves", lambda logs: dict.fromkeys(names, (steps, steps / 2)))
    left, right = report_corpus.curves(tmp_path).axes
    assert [line.get_label() for line in left.lines] == ["train", "validation"]
    assert [line.get_label() for line in right.lines] == ["pos"]


def test_an_empty_corpus_has_no_pictures(tmp_path):
    songs = Store(tmp_path)
    directory, _ = songs.manifest(PARAMS)
    TokenStore(songs).tokens(tmp_path / "index", manifest=PARAMS)
    entries = {"manifest": directory, "tokens": tmp_path / "index"}
    assert pictures("manifest", entries, tmp_path) == pictures("tokens", entries, tmp_path) == {}


def test_a_corpus_of_which_nothing_is_left_out_says_so(root, tmp_path):
    songs = Store(tmp_path)
    songs.add("song_0000", root / "inbox" / "song_0000")
    directory, _ = songs.manifest(PARAMS)
    assert "none left out" in texts(report_corpus.counts(directory))
