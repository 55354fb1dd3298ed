"""Runs the audio stages on one file or one upload, in folders laid out as the engine lays them out."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from bgb_assets.modalities.beatmap import cache, features, raw
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.contract import StageResult


def run_cache(audio: Path | None, work: Path, params: cache.CacheParams | None = None) -> tuple[StageResult, Path]:
    """Run stage cache on one audio file, or on none; returns the result and the stage's folder."""
    upload, out = work / "upload", work / "cache"
    (upload / "inner").mkdir(parents=True)
    out.mkdir()
    if audio is not None:
        shutil.copy(audio, upload / "inner")
    return cache.run({"upload": upload}, params or cache.CacheParams(), out), out


def write_tempo(folder: Path, tempo_maps: Mapping[str, TempoMap]) -> None:
    """Write `tempo.json` as stage raw does."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        tempo_id: {
            name: value.tolist() if hasattr(value, "tolist") else value for name, value in tempo.to_json().items()
        }
        for tempo_id, tempo in tempo_maps.items()
    }
    (folder / "tempo.json").write_text(json.dumps({"tempo_maps": values}), encoding="utf-8")


def run_features(cached: Path, tempo: Path, out: Path, params: features.FeatureParams | None = None) -> StageResult:
    """Run stage features on a cached song and the folder that holds `tempo.json`."""
    out.mkdir(parents=True)
    return features.run({"cache": cached, "raw": tempo}, params or features.FeatureParams(), out)


def run_song(upload: Path, work: Path) -> Mapping[str, Path]:
    """Run raw, cache and features on one upload; returns stage -> folder."""
    (work / "raw").mkdir(parents=True)
    result = raw.run({"upload": upload}, raw.RawParams(), work / "raw")
    _, cached = run_cache(upload / result.references["audio"], work)
    run_features(cached, work / "raw", work / "features")
    return {"raw": work / "raw", "cache": cached, "features": work / "features"}
