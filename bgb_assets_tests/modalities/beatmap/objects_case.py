"""Random objects of one map, and real maps: what tests of tokens start from."""

import numpy as np

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, read_audio_data, read_difficulty
from bgb_assets.modalities.beatmap.formats.folder import open_folder
from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.objects import KINDS, PLAYED_KINDS, empty_objects
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets_tests.fixtures import shared_data

PER_BEAT = 960


def real_maps():
    """Return every readable difficulty of the two real songs."""
    found = []
    for name in ("werewolf_howls", "JOURNEY"):
        folder = open_folder(shared_data("beatmap") / "maps" / name)
        song = parse_info(read_json(folder.path(folder.info), folder.info), folder.info)
        audio_data = read_audio_data(folder, song)
        read = (read_difficulty(folder, song, info, audio_data) for info in song.difficulties)
        found += [one for one in read if isinstance(one, Difficulty)]
    return found


def random_objects(seed, *, grid_beats=(1 / 4, 1 / 3, 1 / 16, 1 / 48), wild=False):
    """Return objects at sixteenths, triplets and ticks, up to six notes at a time, each object once.

    Args:
        seed: Of everything.
        grid_beats: Beats are multiples of one of these.
        wild: Also what cannot be encoded: outside the grid, fakes, odd walls, negative beats and lengths.
    """
    random = np.random.default_rng(seed)
    spread = 2 if wild else 0
    beats = np.sort(random.integers(-4 if wild else 0, 160, 24) * random.choice(grid_beats, 24))
    times = np.repeat(beats, random.integers(1, 7, 24))
    made = {kind: _columns(kind, random, times if kind == "notes" else beats, spread) for kind in PLAYED_KINDS}
    return {**empty_objects(), **{kind: _unique(kind, columns) for kind, columns in made.items()}}


def _columns(kind, random, beat, spread):
    size = len(beat)

    def numbers(low, high):
        return random.integers(low - spread, high + spread + 1, size)

    lengths = random.integers(-48 * spread, 48 * 63 + 48 * spread, size) / 48
    columns = {"beat": beat, "x": numbers(0, 3), "y": numbers(0, 2), "color": random.integers(0, 2, size)}
    columns |= {"cut_direction": numbers(0, 8), "cut": numbers(0, 8), "tail_cut": numbers(0, 8)}
    columns |= {"tail_x": numbers(0, 3), "tail_y": numbers(0, 2), "slices": numbers(1, 32)}
    columns |= {"angle_deg": random.choice([0, 0, 0, 5, -45, 180, 158, -176, 2, 359], size)}
    columns |= {"fake": random.random(size) < 0.1 * spread, "mid_anchor": np.zeros(size)}
    columns |= {name: np.ones(size) for name in ("mult", "tail_mult", "squish")}
    columns |= {"tail_beat": beat + lengths, "duration_beats": lengths}
    if kind == "walls":
        columns |= {"width": random.integers(1, 5 - np.clip(columns["x"], 0, 3)), "y": random.choice([0, 2], size)}
        columns["height"] = np.where(columns["y"] == 0, 5, 3) + (random.random(size) < 0.1 * spread)
    return {name: columns[name].astype(np.dtype(dtype)) for name, dtype in KINDS[kind].items()}


def _unique(kind, columns):
    """Return rows sorted by all columns, each only once whatever its angle, as angles may round to one another."""
    names = [name for name in KINDS[kind] if name != "angle_deg"]
    rows = np.stack([columns[name].astype(np.float64) for name in names], axis=1)
    first = np.unique(rows, axis=0, return_index=True)[1]
    return {name: column[first] for name, column in columns.items()}


def mirrored_objects(objects):
    """Return a map with left and right swapped."""
    swap = np.array([0, 1, 3, 2, 5, 4, 7, 6, 8])
    made = {}
    for kind, columns in objects.items():
        turned = dict(columns)
        for name, column in columns.items():
            if name in ("x", "tail_x"):
                turned[name] = 4 - column - columns["width"] if kind == "walls" else 3 - column
            elif name == "color":
                turned[name] = 1 - column
            elif name in ("cut", "cut_direction", "tail_cut"):
                turned[name] = swap[column]
            elif name == "angle_deg":
                turned[name] = -column
        made[kind] = turned
    return made
