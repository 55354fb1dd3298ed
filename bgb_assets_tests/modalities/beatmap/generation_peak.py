"""What generating a map for a song takes in memory, counted in a process of its own.

    python -m bgb_assets_tests.modalities.beatmap.generation_peak SECONDS

Prints the MiB of anonymous memory above what there was after imports and a first, short song. The song is a click track
in stereo Ogg Vorbis, the model `small` with random weights.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import soundfile
import torch

from bgb_assets.modalities.beatmap.generation.generate import Wish, generate
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import SMALL
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.runtime.memory import rss_anon_bytes, worker_environment
from bgb_assets.storage.digests import as_plain
from bgb_assets.training.model_directory import write_model_directory

RATE_HZ, BPM = 44_100, 120.0
MIB = 1 << 20


def write_song(path, seconds):
    """Write clicks over noise, block by block."""
    random = np.random.default_rng(0)
    beat = np.zeros(round(RATE_HZ * 60.0 / BPM))
    beat[:800] = 0.6 * np.exp(-np.arange(800) / 120) * np.sin(2 * np.pi * 1_500 * np.arange(800) / RATE_HZ)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, format="OGG", subtype="VORBIS") as file:
        for _ in range(round(seconds * BPM / 60.0)):
            file.write((beat + random.normal(0.0, 0.02, len(beat)))[:, None].repeat(2, axis=1))
    return path


def write_model(out):
    """Write `small` as it is before training, but that ticks end after a note or two, as in maps."""
    torch.manual_seed(0)
    network = Network(SMALL.shape)
    with torch.no_grad():
        network.embedding.weight[v.NOTE.slice] *= 0.1
    upstream = {"vocabulary": v.digest(), "tokens": {"kinds": ["notes", "bombs"]}}
    config = {"variant": "small", "params": as_plain(SMALL), "seed": 0, "upstream": upstream, "lineage": {}}
    out.mkdir()
    write_model_directory(out, network, config, {}, "card", {})
    return out


def peak_of(run):
    """Return how many MiB the process has at most above what it had at the start."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    before, most, done = rss_anon_bytes(), [0], threading.Event()

    def watch():
        while not done.wait(0.005):
            most[0] = max(most[0], rss_anon_bytes() - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        run()
    finally:
        done.set()
        thread.join()
    return most[0] / MIB


def measured(seconds):
    """Return MiB at most, for a song of so many seconds."""
    with tempfile.TemporaryDirectory(prefix="generation_peak_") as folder:
        space = Path(folder)
        model = write_model(space / "model")
        wish = Wish(["Expert"], nps=4.0, bpm=BPM)
        generate(write_song(space / "short.ogg", 5), model, wish, space / "short.zip")
        song = write_song(space / "song.ogg", seconds)
        return peak_of(lambda: generate(song, model, wish, space / "map.zip"))


def in_a_process(seconds):
    """Return the same, measured in a fresh process."""
    command = [sys.executable, "-m", "bgb_assets_tests.modalities.beatmap.generation_peak", str(seconds)]
    environment = {**os.environ, **worker_environment()}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


if __name__ == "__main__":
    print(json.dumps(measured(float(sys.argv[1]))))
