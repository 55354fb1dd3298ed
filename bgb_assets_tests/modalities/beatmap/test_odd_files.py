"""Whatever the files of a map say, they are read or refused with a reason: no other error, no warning of numpy."""

import copy
import json
import math
import random

import pytest

from bgb_assets.modalities.beatmap import notes, raw
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import info_v2, write_files

ODD = [None, True, False, -1, 0, 3, 10**400, 2.5, -0.0, 1e300, math.nan, math.inf, "", "x", "7", "\ud800", [], {}, [{}]]


def documents(kind):
    files = sorted((shared_data("beatmap") / "wiki_snippets" / kind).glob("*.dat"))
    return [json.loads(file.read_text("utf-8-sig")) for file in files if file.name != "4.1.0.dat"]


def spoiled(document, dice, most):
    """Return a document with some values, at any depth, removed or replaced by odd ones."""
    document = copy.deepcopy(document)
    for _ in range(dice.randint(1, most)):
        holder, key = place(document, dice)
        if key is None:
            continue
        if isinstance(holder, dict) and dice.random() < 0.15:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(dice.choice(ODD))
    return document


def place(value, dice):
    """Return a list or object of a document and a key of it; mostly deep down."""
    while isinstance(value, dict | list) and value:
        key = dice.choice(list(value)) if isinstance(value, dict) else dice.randrange(len(value))
        if not value[key] or not isinstance(value[key], dict | list) or dice.random() < 0.25:
            return value, key
        value = value[key]
    return value, None


def file_names(info):
    """Return the difficulty files that an Info of any version names, as far as they can be files."""
    if isinstance(info, list):
        return {name for item in info for name in file_names(item)}
    if not isinstance(info, dict):
        return set()
    keys = ("_beatmapFilename", "beatmapDataFilename", "jsonPath")
    own = {info[key] for key in keys if isinstance(info.get(key), str) and info[key].isascii() and info[key]}
    return own.union(*(file_names(item) for item in info.values()))


@pytest.mark.parametrize("block", range(4))
def test_odd_values_are_read_or_refused(tmp_path, block):
    infos, maps, audio = [*documents("info"), info_v2()], documents("beatmap"), documents("audio")
    outcomes = {"read": 0, "refused": 0}
    for seed in range(100 * block, 100 * (block + 1)):
        dice = random.Random(seed)
        info, one, data = dice.choice(infos), dice.choice(maps), dice.choice(audio)
        info = spoiled(info, dice, 2) if seed % 3 == 0 else info
        one = spoiled(one, dice, 4) if seed % 3 else one
        files = {"Info.dat": info, "BPMInfo.dat": spoiled(data, dice, 2) if seed % 4 == 0 else data}
        folder = write_files(tmp_path / str(seed), files | dict.fromkeys(file_names(info), one))
        outcomes[read(folder, tmp_path / f"out{seed}")] += 1
    assert min(outcomes.values()) > 15, outcomes


def read(folder, out):
    for stage in ("raw", "notes"):
        (out / stage).mkdir(parents=True)
    assert raw.cost_bytes(folder) > 0
    try:
        raw.fingerprint(folder)
        raw.run({"upload": folder}, None, out / "raw")
        notes.run({"raw": out / "raw"}, None, out / "notes")
    except BadInput as error:
        return "refused" if error.reason and error.remedy else "refused without saying why"
    return "read"
