"""Whole uploads made of the real fixtures, and how far a run over them got.

The real maps have no audio and the real recordings no map: each map is paired with clicks on its own beats, each
recording with a generated map. Belongs here: making such uploads, and counting what is in them with nothing but
`json`. Does not belong here: what a test expects; driving a chain of any modality (`driving`).
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from bgb_assets.chain import Chain
from bgb_assets.engine.outcomes import UploadOutcome
from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.synth import click_track, write_ogg
from bgb_assets.modalities.beatmap.synthetic import synth_score
from bgb_assets.modalities.beatmap.synthetic.synth_files import AUDIO_FILE, write_map
from bgb_assets.modalities.beatmap.synthetic.synth_map import MANNERS, Map, draw_map
from bgb_assets.modalities.beatmap.writing.export import render_map, write_folder
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets_tests import driving
from bgb_assets_tests.driving import fan_in

RATE_HZ = 22_050
CLICKS_END_S = 2.0
KINDS = ("notes", "bombs", "walls", "arcs", "chains")
WORK = ("decodes", "spectrograms")
"""What songs cost, counted beside the calls of stages."""
Counts = dict[tuple[str, str], dict[str, int]]
"""(characteristic, difficulty) -> kind -> objects."""


def write_real_map(source: Path, out: Path) -> Path:
    """Copy a real map and write the song that its Info names: a click on each beat of its tempo map."""
    shutil.copytree(source, out, copy_function=shutil.copyfile)
    song = read_song(out)
    tempo = song.readable[0].tempo
    last_beat = max(float(item.parsed.objects["notes"]["beat"].max()) for item in song.readable)
    seconds = float(tempo.time(last_beat)) + CLICKS_END_S
    write_ogg(out / song.info.audio_file, click_track(tempo, seconds, RATE_HZ), RATE_HZ)
    return out


def write_real_recording(source: Path, out: Path, version: int, seed: int = 0) -> Path:
    """Copy a real recording and write a generated map of it, in version 2, 3 or 4 of the game's files."""
    out.mkdir(parents=True)
    shutil.copyfile(source, out / AUDIO_FILE)
    rng = np.random.default_rng(seed)
    score = synth_score.compose(rng, with_changes=version != 2)
    seconds = soundfile.info(source).duration
    maps = {manner.name: _within(draw_map(score, manner, rng), score, seconds) for manner in MANNERS}
    write_map(out, out.name, score, maps, min(version, 3))
    if version == 4:
        _write_again_as_v4(out)
    return out


def write_wav_song(source: Path, out: Path) -> Path:
    """Write a folder like `source` whose audio is PCM16 WAV under the name that Info has, libsndfile not asked back."""
    shutil.copytree(source, out, copy_function=shutil.copyfile)
    samples, rate_hz = soundfile.read(source / AUDIO_FILE, dtype="int16")
    soundfile.write(out / AUDIO_FILE, samples, rate_hz, format="WAV", subtype="PCM_16")
    return out


def open_chain(root: Path) -> Chain:
    """Return the chain as a new process would have it."""
    return driving.open_chain("beatmap", root)


def calls_through_tokens(chain: Chain) -> dict[str, int]:
    """Ingest, walk and fan in as far as tokens; return counter -> number, without those that are 0."""
    return driving.calls_through_tokens(chain, WORK)


def manifest_rows(chain: Chain) -> pa.Table:
    """Return the rows of the current manifest."""
    return pq.read_table(manifest_directory(chain) / "rows.parquet")


def manifest_directory(chain: Chain) -> Path:
    """Return the directory of the current manifest, which must be there already."""
    outcome = fan_in(chain, ["manifest"])["manifest"]
    assert not outcome.called
    return chain.store.layout.entry("manifest", chain.modality.name, outcome.identity)


def entry_of(chain: Chain, outcome: UploadOutcome, stage: str) -> Path:
    """Return the directory of one upload's entry."""
    return chain.store.layout.entry(stage, chain.modality.name, outcome.stages[stage].identity)


def info_of(upload: Path) -> dict[str, Any]:
    """Return the Info of a map folder."""
    return _load(upload / "Info.dat")


def counted_in_files(upload: Path) -> tuple[Counts, set[tuple[str, str]]]:
    """Return the objects of each difficulty by its file, and the difficulties whose file is not there."""
    counts: Counts = {}
    missing = set()
    for characteristic, difficulty, file in named_in_info(info_of(upload)):
        if (upload / file).is_file():
            counts[characteristic, difficulty] = _objects(_load(upload / file))
        else:
            missing.add((characteristic, difficulty))
    return counts, missing


def named_in_info(info: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (characteristic, difficulty, file) of all that an Info of version 2 or 4 names."""
    if "difficultyBeatmaps" in info:
        return [(x["characteristic"], x["difficulty"], x["beatmapDataFilename"]) for x in info["difficultyBeatmaps"]]
    return [
        (group["_beatmapCharacteristicName"], entry["_difficulty"], entry["_beatmapFilename"])
        for group in info["_difficultyBeatmapSets"]
        for entry in group["_difficultyBeatmaps"]
    ]


def counted_in_table(table: pa.Table) -> Counts:
    """Return the objects of each difficulty by the table of difficulties or the manifest's rows."""
    return {
        (row["characteristic"], row["difficulty"]): {kind: row[kind] for kind in KINDS if kind in row}
        for row in table.to_pylist()
        if row["beatmap_id"] is not None
    }


def _within(drawn: Map, score: synth_score.Score, seconds: float) -> Map:
    """Leave out what comes after a recording that is shorter than the score."""
    last = float(score.tempo.beat(seconds))
    return Map(
        notes=tuple(note for note in drawn.notes if note.beat < last),
        bombs=tuple(bomb for bomb in drawn.bombs if bomb.beat < last),
        walls=tuple(wall for wall in drawn.walls if wall.beat + wall.beats < last),
        arcs=tuple(arc for arc in drawn.arcs if arc[1].beat < last),
        chains=tuple(chain for chain in drawn.chains if chain[1].beat < last),
    )


def _write_again_as_v4(folder: Path) -> None:
    song = read_song(folder)
    difficulties = tuple(
        DifficultyToWrite(item.info.characteristic, item.info.difficulty, item.parsed.objects) for item in song.readable
    )
    rendered = render_map(SongToWrite(song.info.title, song.readable[0].tempo, difficulties), "v4")
    audio = (folder / AUDIO_FILE).read_bytes()
    shutil.rmtree(folder)
    write_folder(dataclasses.replace(rendered, files={**rendered.files, "song.ogg": audio}), folder)


def _objects(document: Mapping[str, Any]) -> dict[str, int]:
    if "_notes" in document:
        types = [note["_type"] for note in document["_notes"]]
        named = {"walls": "_obstacles", "arcs": "_sliders"}
        found = {kind: len(document.get(key, [])) for kind, key in named.items()}
        return {"notes": types.count(0) + types.count(1), "bombs": types.count(3), "chains": 0, **found}
    major = int(document["version"][0])
    walls, arcs, chains = ("obstacles", "sliders", "burstSliders") if major == 3 else ("obstacles", "arcs", "chains")
    named = {"notes": "colorNotes", "bombs": "bombNotes", "walls": walls, "arcs": arcs, "chains": chains}
    return {kind: len(document.get(key, [])) for kind, key in named.items()}


def _load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8-sig"))
