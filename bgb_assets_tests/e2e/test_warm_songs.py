"""Features made ahead are what training uses: found by content, at a tempo that single precision cannot hold."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.runtime import monitoring
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import fan_in, ingest, opened_below, outcomes, walk
from bgb_assets_tests.e2e.songs import manifest_rows, open_chain
from bgb_assets_tests.fixtures import REPOSITORY

BPM = 128.3
CONFIG = f"""{SETTLE_AT_ONCE}
[beatmap.manifest.filters]
min_timing_ratio = 0.0
min_timing_shift_ms = -150.0
max_timing_shift_ms = 150.0
notes_after_audio = true
[beatmap.model.tiny.training]
steps = 2
batch = 2
validate_every_steps = 2
"""
WARM = ("raw", "cache", "features")


@pytest.fixture
def warmed(data_root: Path) -> Path:
    """A data root with songs of every split at 128.3 BPM, brought as far as features."""
    (data_root / "config.toml").write_text(CONFIG)
    samples = sorted((REPOSITORY / "data" / "samples" / "beatmap").glob("song_*"))
    # The first is a test song, the last one of validation; the others train.
    for song in [*samples[:2], *samples[-3:]]:
        folder = Path(shutil.copytree(song, data_root / "inbox" / "beatmap" / song.name))
        info = json.loads((folder / "Info.dat").read_bytes())
        (folder / "Info.dat").write_text(json.dumps(info | {"_beatsPerMinute": BPM}))
        for path in folder.glob("*Standard.dat"):
            document = json.loads(path.read_bytes())
            path.write_text(json.dumps({name: [] if name == "bpmEvents" else v for name, v in document.items()}))
    chain = open_chain(data_root)
    ingest(chain)
    with monitoring.counting() as counts:
        walk(chain, WARM)
    assert (counts["spectrograms"], counts["decodes"]) == (5, 5)
    return data_root


def test_training_after_warming_computes_no_spectrogram_and_opens_no_audio(warmed: Path) -> None:
    with monitoring.counting() as counts, opened_below(warmed) as opened:
        found = walk(open_chain(warmed))
        trained = fan_in(open_chain(warmed))["model"]
    assert trained.called
    assert (counts["spectrograms"], counts["decodes"]) == (0, 0)
    assert {stage: counts[f"stage_calls.{stage}"] for stage in WARM} == dict.fromkeys(WARM, 0)
    assert counts["stage_calls.model"] == 1
    assert [name for name in opened if name.endswith((".egg", ".ogg", ".wav"))] == []
    assert all(held[stage] == "hit" for held in outcomes(found).values() for stage in WARM)
    with monitoring.counting() as counts, opened_below(warmed) as opened:
        ingest(open_chain(warmed))
        walk(open_chain(warmed))
        again = fan_in(open_chain(warmed))
    assert {name: n for name, n in counts.items() if name.startswith(("stage_calls", "decodes", "spectr"))} == {}
    assert not any(outcome.called for outcome in again.values())
    assert [name for name in opened if name.endswith((".egg", ".ogg", ".wav", ".npy"))] == []


def test_each_song_has_one_array_whatever_asked_for_it(warmed: Path) -> None:
    walk(open_chain(warmed))
    fan_in(open_chain(warmed), ("manifest", "tokens"))
    entries = [path.parent for path in (warmed / "features" / "beatmap").glob("*/*/record.json")]
    assert len(entries) == 5
    assert [len(list(entry.glob("mel_*.npy"))) for entry in entries] == [1] * 5
    rows = [row for row in manifest_rows(open_chain(warmed)).to_pylist() if row["included"]]
    assert {row["bpm"] for row in rows} == {BPM} != {float(np.float32(BPM))}
    assert len({row["mel"] for row in rows}) == len({row["upload"] for row in rows}) == 5
