"""Writing tokens with kept keys and values against decoding all tokens again for each; a song; memory of a long one.

`python -m bgb_assets_tests.benchmarks.bench_beatmap_generation [--small]`, variant small with random weights. Tokens
are decoded on one thread, as generation does it.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from bgb_assets.modalities.beatmap.generation.decoding import Request, Song, write_song
from bgb_assets.modalities.beatmap.generation.generate import Wish, generate
from bgb_assets.modalities.beatmap.generation.pen import Sampling
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import SMALL
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.beatmap.generation_peak import in_a_process, write_model
from bgb_assets_tests.modalities.beatmap.generation_peak import write_song as write_audio

BPM = 128.0
SONG_S, LONG_S = 180, 1_800
PCM_MIB_PER_S = 22_050 * 2 / (1 << 20)
"""The audio itself: mono PCM16 as the cache stage stores it."""


def steps_with_cache(network, memory, tokens, ticks):
    caches = network.empty_caches(1, tokens.shape[1])
    steps = [network.decode(tokens[:, [i]], ticks[:, [i]], memory, caches) for i in range(tokens.shape[1])]
    return torch.cat(steps, dim=1)


def steps_without(network, memory, tokens, ticks):
    lengths = range(1, tokens.shape[1] + 1)
    return torch.cat([network.decode(tokens[:, :n], ticks[:, :n], memory)[:, -1:] for n in lengths], dim=1)


def compare(network, count, repeats, at_least):
    """Both ways over the same tokens: the same logits, and how long they take."""
    random = np.random.default_rng(0)
    mel = torch.from_numpy(random.random((1, 1_024, 81), np.float32))
    tokens = torch.from_numpy(random.integers(0, v.SIZE, (1, count)))
    ticks = torch.from_numpy(np.sort(random.integers(0, 16 * v.TICKS_PER_BAR, (1, count))))
    memory = network.remember(network.encode(mel))
    arms = {
        "all tokens again": lambda: steps_without(network, memory, tokens, ticks),
        "kept keys and values": lambda: steps_with_cache(network, memory, tokens, ticks),
    }
    whole, cached = (arm() for arm in arms.values())
    gate(
        20,
        f"{count} tokens, cached / all again: largest difference of logits",
        float((whole - cached).abs().max()),
        at_most=1e-4,
        unit="logits",
    )
    same = float((whole.argmax(-1) == cached.argmax(-1)).float().mean())
    gate(20, f"{count} tokens: share of equal likeliest ids", same, at_least=1.0, unit="of the tokens")
    taken = in_turns(arms, repeats)
    show(f"{count} tokens", taken)
    gate(
        31,
        f"{count} tokens: all again / kept",
        ratio(taken["all tokens again"], taken["kept keys and values"]),
        at_least=at_least,
    )


def write(network, seconds, guidance=1.0):
    """Return how many times faster than it plays a song is written, from its beat grid on."""
    bars = round(seconds * BPM / 60 / v.BEATS_PER_BAR)
    mel = np.random.default_rng(0).random((bars * v.FRAMES_PER_BAR, 81)).astype(np.float16)
    song = Song(mel, np.arange(bars + 1) * 60.0 * v.BEATS_PER_BAR / BPM)
    request, sampling = Request("Expert", "Standard", 6.0), Sampling(guidance=guidance)
    made = {}
    arms = {
        "write": lambda: made.update(ids=write_song(network, song, [request], SMALL.window, ("notes",), 0, sampling))
    }
    (taken,) = in_turns(arms, 1, warm=0)["write"]
    print(f"{seconds} s of song, guidance {guidance:g}: {len(made['ids'][0])} tokens, {taken:.1f} s")
    return seconds / taken


def whole_chain(seconds):
    """Return how many times faster than it plays an audio file becomes a zip, tempo estimate included."""
    with tempfile.TemporaryDirectory(prefix="bench_generation_") as folder:
        space = Path(folder)
        model, song = write_model(space / "model"), write_audio(space / "song.ogg", seconds)
        arms = {"audio to zip": lambda: generate(song, model, Wish(["Expert"], nps=6.0), space / "map.zip")}
        return seconds / in_turns(arms, 1, warm=0)["audio to zip"][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only that it runs")
    small = parser.parse_args().small
    torch.manual_seed(0)
    network = Network(SMALL.shape).eval()
    with torch.no_grad():  # so that ticks end after a note or two, as in maps
        network.embedding.weight[v.NOTE.slice] *= 0.1
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for count, at_least in ((8, 1),) if small else ((256, 6), (512, 10)):
            compare(network, count, 1 if small else 5, at_least)
    torch.set_num_threads(threads)
    seconds = 10 if small else SONG_S
    print(f"\nwith guidance: {write(network, seconds, 2.0):.1f} x real time")
    gate(32, f"{seconds} s of song, beat grid to tokens", write(network, seconds), at_least=10, unit="x real time")
    gate(32, f"{seconds} s of song, audio to zip", whole_chain(seconds), at_least=10, unit="x real time")
    short_s, long_s = (5, 20) if small else (SONG_S, LONG_S)
    short, long = in_a_process(short_s), in_a_process(long_s)
    audio = long_s * PCM_MIB_PER_S
    print(f"memory: {short:.1f} MiB for {short_s} s, {long:.1f} MiB for {long_s} s, whose audio is {audio:.1f} MiB")
    gate(35, f"({long_s} s - its audio) / {short_s} s", max(0.0, long - audio) / short, at_most=1.5)


if __name__ == "__main__":
    main()
