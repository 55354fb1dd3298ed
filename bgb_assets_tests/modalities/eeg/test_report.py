import shutil

import numpy as np
import pytest

from bgb_assets.modalities.eeg.report import pictures
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions
from bgb_assets.runtime.rendering import render_png
from bgb_assets_tests.modalities.beatmap.report_case import texts
from bgb_assets_tests.modalities.eeg.report_case import corpus_entries, recording_entries

MODEL = {"timeline", "detection", "false_alarms", "reliability", "patients"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    entries, _, truth = recording_entries(tmp_path_factory.mktemp("recording"))
    return entries, truth


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    return root, corpus_entries(root, 3)


@pytest.mark.parametrize(
    ("stage", "names"),
    [("raw", set()), ("cache", set()), ("features", {"traces", "quality", "spectrum"}), ("notes", {"traces"})],
)
def test_each_stage_of_a_recording_has_its_pictures(recording, stage, names, tmp_path):
    assert set(pictures(stage, recording[0], tmp_path)) == names


def test_manifest_and_model_have_theirs(corpus):
    root, entries = corpus
    assert set(pictures("manifest", entries, root)) == {"timeline", "windows"}
    assert set(pictures("model", entries, root)) == MODEL
    assert pictures("tokens", entries, root) == {}


def test_without_its_signal_a_recording_has_no_page(corpus, recording, tmp_path):
    root, entries = corpus
    assert set(pictures("model", {"model": entries["model"]}, root)) == MODEL - {"detection"}
    assert set(pictures("model", entries, tmp_path)) == MODEL - {"detection"}
    assert pictures("notes", {"notes": recording[0]["notes"]}, tmp_path) == {}
    assert set(pictures("features", {"features": recording[0]["features"]}, tmp_path)) == {"traces", "quality"}


def test_a_model_that_was_not_evaluated_has_no_pictures_of_scores(corpus, tmp_path):
    shutil.copy(corpus[1]["model"] / "config.json", tmp_path)
    assert pictures("model", {"model": tmp_path}, tmp_path) == {}


def test_a_seizure_free_recording_has_no_page_of_a_seizure(tmp_path):
    entries, _, _ = recording_entries(tmp_path, SynthOptions(rate_hz=200, seizures=False), minutes=1.0)
    assert pictures("notes", entries, tmp_path) == {}


def test_after_a_gap_the_page_is_on_the_clock(tmp_path):
    for patient in range(10):
        entries, _, truth = recording_entries(
            tmp_path / str(patient), SynthOptions(rate_hz=200, gap_s=40), patient, 1.0
        )
        [(onset_s, offset_s)] = truth["episodes"]["seizure"]
        if onset_s > 70.0:
            break
    assert onset_s > 70.0
    figure = pictures("notes", entries, tmp_path)["traces"]
    assert f"Seizure 1 of 1, from {onset_s:.1f} s" in texts(figure)
    left, right = figure.axes[0].get_xlim()
    assert left < onset_s < right <= truth["seconds"]
    [shaded] = [patch for patch in figure.axes[0].patches if patch.get_label() == "noted seizure"]
    assert shaded.get_x() == pytest.approx(onset_s, abs=1 / 256)
    assert shaded.get_x() + shaded.get_width() == pytest.approx(offset_s, abs=1 / 256)


@pytest.mark.parametrize(("stage", "theme"), [("features", "light"), ("manifest", "dark"), ("model", "dark")])
def test_every_picture_is_rendered_and_small_enough_to_attach(recording, corpus, stage, theme):
    root, entries = corpus
    for name, figure in pictures(stage, recording[0] if stage in recording[0] else entries, root).items():
        assert 3_000 < len(render_png(figure, theme)) < 200_000, (stage, name)


def test_the_first_seizure_of_a_model_is_drawn_with_what_was_detected(corpus):
    root, entries = corpus
    figure = pictures("model", entries, root)["detection"]
    assert len(figure.axes) == 3
    labels = {patch.get_label() for patch in figure.axes[0].patches}
    assert {"noted seizure", "detected"} <= labels
    strip = figure.axes[1].collections[0].get_paths()[0].vertices
    assert np.nanmax(strip[:, 1]) > 0.8
