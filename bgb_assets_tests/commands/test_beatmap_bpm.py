"""`bgb bpm` as a person types it, on real recordings and on clicks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.click_tracks import RATE_HZ, clicks
from bgb_assets_tests.test_cli import bgb


def audio(pattern: str) -> Path:
    (path,) = (shared_data("beatmap") / "audio").glob(pattern)
    return path


@pytest.mark.parametrize("name", ["Kevin_MacLeod_-_Vibe_Ace.ogg", "Kevin_MacLeod_-_Vibe_Ace.hq.ogg"])
def test_a_steady_song(name: str) -> None:
    said = bgb("bpm", audio(name))
    assert (said.code, said.err) == (0, "")
    first, *rest = said.out.splitlines()
    assert first.startswith(f"{name}: 130.0")
    assert "(sure), first beat at " in first
    assert len([line for line in rest if line.startswith("  candidate ")]) == 5
    assert "variable" not in said.out
    found = bgb("bpm", audio(name), "--json").json()
    assert found["bpm"] == pytest.approx(130.0, abs=0.05)
    assert found["confidence"] >= 0.4
    assert (found["usable"], found["variable"]) == (True, False)
    assert [window["start_s"] for window in found["windows"]] == pytest.approx([0.0, 15.0, 30.0], abs=0.01)


@pytest.mark.parametrize("pattern", ["sorohanro_-_solo-trumpet-06.ogg", "Hungarian_Dance_number_5_*.ogg"])
def test_music_without_a_steady_tempo_is_refused_with_a_remedy(pattern: str) -> None:
    said = bgb("bpm", audio(pattern))
    assert said.code == 1
    assert "no steady tempo found" in said.out
    assert len([line for line in said.out.splitlines() if line.startswith("  candidate ")]) == 5
    assert said.err.startswith(f"error: {audio(pattern).name}: no steady tempo found (confidence 0.1")
    assert said.err.endswith("`bgb generate` takes --bpm or --tempo-map\n")
    said = bgb("bpm", audio(pattern), "--json")
    assert said.code == 1
    assert said.json()["usable"] is False


def test_two_tempi_are_shown_by_window(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(0.0, 45.0, 60 / 120), np.arange(45.0, 90.0, 60 / 131)])
    soundfile.write(tmp_path / "two.wav", clicks(times, 90.0), RATE_HZ)
    said = bgb("bpm", tmp_path / "two.wav", "--json")
    windows = said.json()["windows"]
    assert said.json()["variable"] is True
    assert windows[0]["bpm"] == pytest.approx(120, rel=0.01)
    assert windows[-1]["bpm"] == pytest.approx(131, rel=0.01)
    lines = bgb("bpm", tmp_path / "two.wav").out.splitlines()
    assert any(line.startswith("variable tempo, 1") for line in lines)
    assert sum(line.startswith("  from ") for line in lines) == len(windows)


def test_silence_has_no_tempo_and_text_is_no_song(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE_HZ * 5), RATE_HZ)
    said = bgb("bpm", tmp_path / "silence.wav")
    assert said.code == 1
    assert "no steady tempo found (confidence 0.00)" in said.err
    (tmp_path / "text.ogg").write_text("no sound")
    assert bgb("bpm", tmp_path / "text.ogg").code == 1
    assert bgb("bpm", tmp_path / "nothing.ogg").code == 2
