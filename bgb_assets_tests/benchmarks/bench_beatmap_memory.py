"""What songs take in memory: a worker on a large map, the process that drives many uploads, and the tokens stage.

Each measurement runs in a process of its own and counts what is added to its anonymous memory after imports. The large
map is JOURNEY of the fixtures with 340 s of sound; it is left out, and says so, where the fixtures are absent.

    python -m bgb_assets_tests.benchmarks.bench_beatmap_memory [--small]
"""

import argparse
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.beatmap import notes, raw, synth, tokens
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.tables.manifest_rows import ROWS
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, EntryView, FanIn, Member
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.executor import Bounds
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.runtime.memory import rss_anon_bytes
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests.benchmarks.bench_beatmap_features import make_song
from bgb_assets_tests.benchmarks.bench_beatmap_maps import write_map
from bgb_assets_tests.benchmarks.measured import gate
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.audio_stages import run_song

MIB = 1 << 20
NOTES_OF_A_SONG = 3_000
FIRST_UPLOADS = 50


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(PROBES[options.probe[0]](options.probe[1])))
        return
    millions = (0.01, 0.02) if options.small else (1.0, 4.0)
    one, many = (probe("tokens", str(round(1e6 * count)))["mib"] for count in millions)
    print(f"tokens stage: {one:.0f} MiB for {millions[0]:g} M notes, {many:.0f} MiB for {millions[1]:g} M")
    gate(34, f"tokens: peak of {millions[1]:g} M notes / of {millions[0]:g} M", many / one, at_most=1.25)
    gate(34, f"tokens: peak of {millions[1]:g} M notes above the start", many, at_most=400, unit="MiB")
    worker(10 if options.small else 340)
    driven = probe("driver", "6" if options.small else "200")
    print(f"driver after {driven['first']} uploads {driven['first_mib']:.0f} MiB, after all {driven['mib']:.0f} MiB")
    gate(36, "driver: growth after the first 50 uploads", driven["mib"] - driven["first_mib"], at_most=50, unit="MiB")


def worker(seconds: int) -> None:
    """A large map with sound, raw to notes."""
    try:
        journey = shared_data("beatmap") / "maps" / "JOURNEY"
    except BaseException as absent:  # noqa: BLE001 - the skip of pytest is no Exception
        print(f"raw to notes of JOURNEY: left out: {absent}")
        return
    with tempfile.TemporaryDirectory(prefix="bench_memory_") as folder:
        upload = Path(folder) / "upload"
        shutil.copytree(journey, upload)
        make_song(upload, seconds)
        (upload / "song.egg").rename(upload / json.loads((upload / "Info.dat").read_text("utf-8"))["_songFilename"])
        gate(36, "a worker, raw to notes of JOURNEY", probe("worker", str(upload))["mib"], at_most=300, unit="MiB")


def probe(name: str, argument: str) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", __spec__.name, "--probe", name, argument]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def peak() -> Iterator[list[float]]:
    """Collect how many MiB the process has at most above what it had at the start."""
    give_back()
    before, found, done = rss_anon_bytes(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            found[0] = max(found[0], (rss_anon_bytes() - before) / MIB)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def give_back() -> None:
    """Return to the system what was freed, so that it does not serve what is measured."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def probe_worker(upload: str) -> dict[str, float]:
    """Take an upload from raw to notes."""
    with tempfile.TemporaryDirectory(prefix="bench_memory_") as folder:
        work = Path(folder)
        # What a worker has imported is not the upload's.
        warm = work / "warm"
        synth.synth(work / "songs", 1, 0)
        to_notes(work / "songs" / "song_0000", warm)
        with peak() as found:
            to_notes(Path(upload), work / "stages")
    return {"mib": found[0]}


def to_notes(upload: Path, work: Path) -> None:
    """Run the four stages of an upload."""
    stages = run_song(upload, work)
    (work / "notes").mkdir()
    notes.run({"raw": stages["raw"], "features": stages["features"]}, None, work / "notes")


def probe_driver(uploads: str) -> dict[str, float]:
    """Take uploads through the chain with two workers; only this process is measured."""
    with tempfile.TemporaryDirectory(prefix="bench_memory_") as folder:
        root = Path(folder)
        synth.synth(root / "inbox" / "beatmap", int(uploads), 0)
        (root / "config.toml").write_text("[inbox]\nsettle_s = 0.0\n")
        settings = load_settings({"BGB_DATA_ROOT": str(root)})
        first = min(FIRST_UPLOADS, int(uploads) // 2)
        with LocalProcessExecutor(Bounds(2)) as executor:
            chain = Chain(modality("beatmap"), settings, executor)
            Ingest(chain).apply()
            sizes = [rss_anon_bytes() / MIB for _ in chain.run(chain.uploads.keys(), PER_UPLOAD_STAGES)]
    return {"first": first, "first_mib": sizes[first], "mib": max(sizes[first:])}


def probe_tokens(count: str) -> dict[str, float]:
    """Encode notes of many songs, shard by shard."""
    songs = max(1, int(count) // NOTES_OF_A_SONG)
    with tempfile.TemporaryDirectory(prefix="bench_memory_") as folder:
        root = Path(folder)
        fan_in = many_songs(root, songs)
        warm = many_songs(root / "warm", 2)
        for name, plan in tokens.plan(warm, TokenParams()).items():
            write_shard(name, warm, plan.members, root / "warm" / "out" / name)
        with peak() as found:
            for name, plan in tokens.plan(fan_in, TokenParams()).items():
                write_shard(name, fan_in, plan.members, root / "out" / name)
    return {"mib": found[0]}


def write_shard(name: str, fan_in: FanIn, keys: tuple[str, ...], out: Path) -> None:
    """Write one shard as the engine does: with its members alone."""
    out.mkdir(parents=True)
    by_key = {member.key: member for member in fan_in.members}
    own = FanIn([by_key[key] for key in keys], fan_in.inputs, {}, {}, fan_in.pins, fan_in.root)
    tokens.run_part(name, own, TokenParams(), out)


def many_songs(root: Path, songs: int) -> FanIn:
    """Return what the tokens stage is handed: songs that share the files of one, each under a name of its own."""
    for stage in ("raw", "notes", "manifest"):
        (root / stage).mkdir(parents=True)
    upload = write_map(root / "upload", NOTES_OF_A_SONG)
    raw.run({"upload": upload}, None, root / "raw")
    notes.run({"raw": root / "raw"}, None, root / "notes")
    beatmap = pq.read_table(root / "notes" / "beatmaps.parquet").to_pylist()[0]
    members = [Member(f"song_{i:06d}", {}, {"notes": entry(root / "notes", i)}) for i in range(songs)]
    same = {name: beatmap[name] for name in ("characteristic", "difficulty", "beatmap_id", "notes", "nps")}
    same |= {"included": True, "split": 0, "weight": 1.0, "bpm": 180.0, "mel": "", "source": "inbox", "group": "g"}
    rows = [{"row_id": member.key, "upload": member.key, **same} for member in members]
    columns = {name: pa.array([row.get(name) for row in rows], ROWS.field(name).type) for name in ROWS.names}
    pq.write_table(pa.table(columns), root / "manifest" / "rows.parquet")
    return FanIn(members, {"manifest": root / "manifest"}, {}, {}, root / "pins", root)


def entry(directory: Path, number: int) -> EntryView:
    """Return the view of a notes entry."""
    return EntryView(f"{number:064x}", f"notes/{number}", {"notes": f"{number:064x}"}, {}, directory)


PROBES = {"worker": probe_worker, "driver": probe_driver, "tokens": probe_tokens}

if __name__ == "__main__":
    main()
