import dataclasses
import json
import zipfile

import numpy as np
import pytest
import soundfile
import torch

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, read_audio_data, read_difficulty
from bgb_assets.modalities.beatmap.formats.folder import open_folder
from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.generation.generate import Wish, generate
from bgb_assets.modalities.beatmap.generation.pace_file import PaceCurve
from bgb_assets.modalities.beatmap.generation.tempo_file import PlacedTempo
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import TINY, Shape, WindowParams
from bgb_assets.modalities.beatmap.measures.playability import collisions
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.runtime.errors import BadInput
from bgb_assets.storage.digests import as_plain
from bgb_assets.training.model_directory import write_model_directory
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.generation_peak import in_a_process

RATE_HZ = 22_050
PARAMS = dataclasses.replace(
    TINY,
    shape=Shape(width=32, heads=1, hidden=64, encoder_blocks=1, decoder_blocks=1, kernel=0),
    window=WindowParams(bars=4, context_bars=1, redo_bars=1, max_tokens=64),
)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("model")
    upstream = {"vocabulary": v.digest(), "tokens": {"kinds": ["notes", "bombs", "arcs", "chains"]}}
    config = {"variant": "tiny", "params": as_plain(PARAMS), "seed": 0, "upstream": upstream, "lineage": {}}
    write_model_directory(out, Network(PARAMS.shape), config, {}, "card", {})
    return out


def write_clicks(path, times_s, seconds):
    samples = np.random.default_rng(0).normal(0, 0.002, (round(seconds * RATE_HZ), 2))
    click = np.exp(-np.arange(800) / 120) * np.sin(2 * np.pi * 1_500 * np.arange(800) / RATE_HZ)
    for time in times_s:
        start = round(time * RATE_HZ)
        piece = samples[start : start + len(click)]
        piece += 0.8 * click[: len(piece), None]
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture
def clicks(tmp_path):
    return write_clicks(tmp_path / "clicks.wav", np.arange(0.2, 12.0, 0.5), 12.0)


def read_back(directory):
    folder = open_folder(directory)
    song = parse_info(read_json(folder.path(folder.info), folder.info), folder.info)
    made = [read_difficulty(folder, song, info, read_audio_data(folder, song)) for info in song.difficulties]
    assert all(isinstance(one, Difficulty) and one.warnings == () for one in made)
    return song, made


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_a_song_becomes_a_map_that_reads_without_warning(model_dir, clicks, tmp_path, version):
    report = generate(clicks, model_dir, Wish(["Hard", "expert+"], seed=1, version=version), tmp_path / "map")
    song, made = read_back(tmp_path / "map")
    assert [one.info.difficulty for one in made] == ["Hard", "ExpertPlus"]
    assert song.bpm == pytest.approx(120.0, abs=0.02)
    for one, written in zip(made, report.difficulties, strict=True):
        objects = one.parsed.objects
        assert len(objects["notes"]["beat"]) == written.quality.notes > 0
        assert collisions(objects) == 0
        assert written.quality.parity_rate == 0.0
        first = min(columns["beat"].min() for columns in objects.values() if len(columns["beat"]))
        assert one.tempo.time(first) >= 2.0 - 1e-6
    assert "Hard: " in report.lines()[1]


def test_beat_0_lies_on_a_beat_of_the_music(model_dir, clicks, tmp_path):
    report = generate(clicks, model_dir, Wish(["Hard"], seed=1), tmp_path / "map")
    song, _ = read_back(tmp_path / "map")
    samples, rate_hz = soundfile.read(tmp_path / "map" / song.audio_file, always_2d=True)
    assert len(samples) / rate_hz == pytest.approx(12.0 + report.silence_s, abs=1e-3)
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.3)[0] / rate_hz
    assert (loud + 0.02) % 0.5 < 0.04


def test_equal_arguments_give_equal_bytes_and_another_seed_another_map(model_dir, clicks, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(clicks, model_dir, Wish(["Hard"], seed=seed, nps=2.0), tmp_path / f"{name}.zip")
    a, b, c = ((tmp_path / f"{name}.zip").read_bytes() for name in "abc")
    assert a == b != c
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "Info.dat"


def test_a_given_tempo_map_is_kept(model_dir, clicks, tmp_path):
    tempo = tempo_from_events(120.0, [8.0], [100.0]).tempo
    report = generate(clicks, model_dir, Wish(["Hard"], tempo=PlacedTempo(tempo), seed=1), tmp_path / "map")
    _, (one,) = read_back(tmp_path / "map")
    assert report.tempo is None
    beats = round(report.silence_s * 2)
    assert report.silence_s == pytest.approx(beats / 2)
    assert one.tempo.beats.tolist() == [0.0, 8.0 + beats]
    assert one.tempo.bpms.tolist() == [120.0, 100.0]


def test_a_pace_curve_is_kept_and_the_report_says_so(model_dir, tmp_path):
    song = write_clicks(tmp_path / "long.wav", np.arange(0.0, 40.0, 0.5), 40.0)
    curve = PaceCurve((0, 10), (1.0, 2.5))
    report = generate(song, model_dir, Wish(["Hard"], nps=curve, bpm=120, seed=1), tmp_path / "map")
    _, (one,) = read_back(tmp_path / "map")
    beats = one.parsed.objects["notes"]["beat"] - round(report.silence_s * 2)
    assert np.count_nonzero(beats < 40) == pytest.approx(20, abs=4)
    assert np.count_nonzero(beats >= 40) == pytest.approx(50, abs=5)
    (written,) = report.difficulties
    assert written.asked_nps == pytest.approx(1.75, abs=0.3)
    assert written.quality.nps == pytest.approx(written.asked_nps, rel=0.1)
    assert report.warnings == ()


def test_seams_lie_where_windows_meet_in_the_written_map(model_dir, tmp_path):
    song = write_clicks(tmp_path / "long.wav", np.arange(0.0, 20.0, 0.5), 20.0)
    report = generate(song, model_dir, Wish(["Hard"], bpm=120, nps=3.0, seed=1), tmp_path / "map")
    waited = round(report.silence_s * 2)
    # 10 bars in windows of 4, 1 of context and 1 written again: the second goes on at bar 3.
    assert report.seam_beats == tuple(4.0 * bar + waited for bar in (3, 5, 7))


def test_a_pace_that_cannot_be_kept_is_a_warning(model_dir, clicks, tmp_path):
    report = generate(clicks, model_dir, Wish(["Hard"], nps=50.0, bpm=120, seed=1), tmp_path / "map")
    assert [text.startswith("Hard: ") and "50 asked for" in text for text in report.warnings] == [True]


def test_lights_and_jump_speed_are_written(model_dir, clicks, tmp_path):
    dark = generate(clicks, model_dir, Wish(["Hard"], bpm=120, seed=1), tmp_path / "dark")
    generate(clicks, model_dir, Wish(["Hard"], bpm=120, seed=1, lights="simple", njs=17.5), tmp_path / "lit")
    held = {name: json.loads((tmp_path / name / "HardStandard.dat").read_bytes()) for name in ("dark", "lit")}
    assert held["dark"]["colorNotes"] == held["lit"]["colorNotes"]
    assert held["dark"]["basicBeatmapEvents"] == []
    lit_s = [event["b"] / 2 - dark.silence_s for event in held["lit"]["basicBeatmapEvents"] if event["et"] in (2, 3)]
    assert len(lit_s) > 10
    assert min(lit_s) >= 0.0
    info = json.loads((tmp_path / "lit" / "Info.dat").read_bytes())
    (made,) = info["_difficultyBeatmapSets"][0]["_difficultyBeatmaps"]
    assert made["_noteJumpMovementSpeed"] == 17.5


def test_notes_are_turned_unless_told_not_to(model_dir, clicks, tmp_path):
    plain = generate(clicks, model_dir, Wish(["Hard"], bpm=120, nps=4.0, seed=1, repair=False), tmp_path / "plain")
    mended = generate(clicks, model_dir, Wish(["Hard"], bpm=120, nps=4.0, seed=1), tmp_path / "mended")
    assert plain.difficulties[0].turned_notes == 0
    assert plain.difficulties[0].quality.parity_rate > 0.0
    assert mended.difficulties[0].turned_notes > 0
    assert mended.difficulties[0].quality.parity_rate == 0.0


def test_one_saber_is_a_characteristic_of_its_own(model_dir, clicks, tmp_path):
    wish = Wish(["Hard"], characteristic="OneSaber", bpm=120, seed=1)
    generate(clicks, model_dir, wish, tmp_path / "map")
    _, (one,) = read_back(tmp_path / "map")
    assert one.info.characteristic == "OneSaber"
    assert set(one.parsed.objects["notes"]["color"].tolist()) == {1}


def test_a_clip_shorter_than_a_bar_is_padded_to_one(model_dir, tmp_path):
    song = write_clicks(tmp_path / "short.wav", [0.0, 0.5], 1.0)
    report = generate(song, model_dir, Wish(["Hard"], bpm=120, seed=1), tmp_path / "map")
    assert report.difficulties[0].quality.notes > 0


def test_what_cannot_be_mapped_is_refused(model_dir, clicks, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(BadInput, match="is silent"):
        generate(tmp_path / "silent.wav", model_dir, Wish(["Hard"]), tmp_path / "map")
    with pytest.raises(BadInput, match="bpm must be 'auto' or a number from 30 to 500, got 'fast'"):
        generate(clicks, model_dir, Wish(["Hard"], bpm="fast"), tmp_path / "map")
    with pytest.raises(BadInput, match="unknown difficulty 'Nightmare'"):
        generate(clicks, model_dir, Wish(["Nightmare"]), tmp_path / "map")
    with pytest.raises(BadInput, match="map format must be one of v2, v3, v4, got 'v5'; correct --format"):
        generate(clicks, model_dir, Wish(["Hard"], version="v5", seed=1), tmp_path / "map")
    for wish, reason in (
        (Wish([]), "difficulties must be named once each, got \\[\\]"),
        (Wish(["Expert+", "ExpertPlus"]), "must be named once each"),
        (Wish(["Hard"], characteristic="Lightshow"), "characteristic must be one of Standard, OneSaber, NoArrows"),
        (Wish(["Hard"], nps=0.0), "nps must be above 0, up to 50, got 0.0; correct --nps"),
        (Wish(["Hard"], nps=float("nan")), "nps must be above 0"),
        (Wish(["Hard"], njs=-1.0), "njs must be above 0"),
        (Wish(["Hard"], lights="wild"), "lights must be one of none, simple, got 'wild'; correct --lights"),
    ):
        with pytest.raises(BadInput, match=reason):
            generate(clicks, model_dir, wish, tmp_path / "map")
    (trumpet,) = (shared_data("beatmap") / "audio").glob("sorohanro_-_solo-trumpet-06.ogg")
    with pytest.raises(BadInput, match=r"no steady tempo found .*; give it with --bpm or --tempo-map"):
        generate(trumpet, model_dir, Wish(["Hard"]), tmp_path / "map")
    assert not (tmp_path / "map").exists()


@pytest.mark.slow
def test_a_song_of_30_minutes_takes_little_more_than_its_own_samples():
    short_mib, long_mib = in_a_process(180), in_a_process(1_800)
    pcm_mib = 1_800 * 22_050 * 2 / (1 << 20)
    assert long_mib <= 1.5 * short_mib + pcm_mib
