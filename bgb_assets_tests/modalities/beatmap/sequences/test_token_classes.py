import numpy as np

from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.token_classes import CLASSES, NAMES, class_of_id


def test_no_id_is_of_two_classes_and_every_meaning_has_one():
    spans = [span for held in CLASSES.values() for span in held]
    count = np.zeros(v.SIZE, int)
    for span in spans:
        count[span.slice] += 1
    assert count.max() == 1
    assert all(count[start : start + length].all() for start, length in v.named_spans().values())


def test_classes_are_those_of_the_names():
    classes = class_of_id()
    named = {"BAR": "bar", "POS_3": "pos", "NOTE_7": "note", "ARC": "arc", "SLICES_2": "length", "ANGF_0": "angle"}
    named |= {"EOS": "end", "BOS": "header", "QUAL_ANY": "header", "FINE_18": "fine", "WALL_19": "wall"}
    by_name = {v.name_of(token): NAMES[classes[token]] for token in range(v.SIZE) if _has_meaning(token)}
    assert {name: by_name[name] for name in named} == named


def _has_meaning(token):
    return any(start <= token < start + count for start, count in v.named_spans().values())
