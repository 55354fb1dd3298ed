"""The token sequence of one map, object by object, as the format's description reads: the oracle of `tokenizer`."""

import math

from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS
from bgb_assets.modalities.beatmap.sequences import vocabulary as v

_WALL_OFFSETS = {0: 0, 1: 4, 2: 7, 3: 9}


def encode_plainly(objects, header, bars=-1, kinds=PLAYED_KINDS, fine=False):
    """Return the ids as a list, and the number of objects left out."""
    events, dropped = set(), 0
    for kind in kinds:
        columns = objects[kind]
        for row in range(len(columns["beat"])):
            one = {name: column[row].item() for name, column in columns.items()}
            event = _EVENTS[kind](one, fine)
            if event is None or one["beat"] < 0 or one.get("fake") or event in events:
                dropped += 1
            else:
                events.add(event)
    last = max((tick // v.TICKS_PER_BAR + 1 for (tick, _), _ in events), default=0)
    bars = last if bars < 0 else bars
    dropped += sum(tick // v.TICKS_PER_BAR >= bars for (tick, _), _ in events)
    ids = list(header)
    for bar in range(bars):
        ids.append(v.BAR)
        within = sorted((event for event in events if event[0][0] // v.TICKS_PER_BAR == bar), key=_order)
        before = None
        for time, tokens in within:
            if time != before:
                ids.append(v.POS.start + time[0] % v.TICKS_PER_BAR)
                ids += _fine(time[1])
            before = time
            ids += tokens
    return [*ids, v.EOS], dropped


def _order(event):
    # An absent token comes before any other; that of a length counts as rest 0, between -1 and +1.
    (tick, rest), tokens = event
    numbers = [token + 0.0 for token in tokens]
    if len(tokens) == 2 and tokens[1] >= v.ANGF.start:
        numbers.insert(1, -1.0)
    for place, token in enumerate(tokens):
        if v.LENT.start <= token < v.LENT.stop:
            follows = tokens[place + 1 : place + 2]
            if not (follows and v.FINE.start <= follows[0] < v.FINE.stop):
                numbers.insert(place + 1, v.FINE.start + 8.5)
    return tick, rest, numbers


def _note_id(one):
    x, y, cut = (one[name] for name in ("x", "y", "cut"))
    if not (0 <= x <= 3 and 0 <= y <= 2 and 0 <= cut <= 8):
        return None
    return 288 + 108 * one["color"] + 27 * x + 9 * y + cut


def _time(beats, fine):
    if not fine:
        return math.floor(48 * beats + 0.5), 0
    units = math.floor(960 * beats + 0.5)
    tick = (units + 9) // 20
    return tick, units - 20 * tick


def _fine(rest):
    if rest == 0:
        return []
    return [682 + rest + 9] if rest < 0 else [690 + rest]


def _length(beats, fine):
    tick, rest = _time(beats, fine)
    if beats < 0 or tick >= 64 * 48:
        return None
    return [538 + tick // 48, 602 + tick % 48, *_fine(rest)]


def _note(one, fine):
    token = _note_id(one | {"cut": one["cut_direction"]})
    if token is None:
        return None
    degrees = one["angle_deg"] % 360
    degrees = degrees - 360 if degrees > 180 else degrees
    step = round(degrees / 5) * 5
    rest = degrees - step
    tokens = [token]
    if step % 360 == 180:
        step = 180
    if step:
        tokens.append(701 + (step + 175) // 5 if step < 0 else 736 + (step - 5) // 5)
    if rest and fine:
        tokens.append({-2: 772, -1: 773, 1: 774, 2: 775}[rest])
    return _time(one["beat"], fine), tuple(tokens)


def _bomb(one, fine):
    if not (0 <= one["x"] <= 3 and 0 <= one["y"] <= 2):
        return None
    return _time(one["beat"], fine), (504 + 3 * one["x"] + one["y"],)


def _wall(one, fine):
    shape = {(0, 5): 0, (2, 3): 1}.get((one["y"], one["height"]))
    length = _length(one["duration_beats"], fine)
    fits = 0 <= one["x"] <= 3 and one["width"] >= 1 and one["x"] + one["width"] <= 4
    if shape is None or length is None or not fits:
        return None
    token = 516 + 10 * shape + _WALL_OFFSETS[one["x"]] + one["width"] - 1
    return _time(one["beat"], fine), (token, *length)


def _arc(one, fine):
    head = _note_id(one)
    tail = _note_id({"color": one["color"], "x": one["tail_x"], "y": one["tail_y"], "cut": one["tail_cut"]})
    length = _length(one["tail_beat"] - one["beat"], fine)
    if None in (head, tail) or length is None:
        return None
    return _time(one["beat"], fine), (536, head, *length, tail)


def _chain(one, fine):
    head = _note_id(one)
    tail = _note_id({"color": one["color"], "x": one["tail_x"], "y": one["tail_y"], "cut": 8})
    length = _length(one["tail_beat"] - one["beat"], fine)
    if None in (head, tail) or length is None or not 1 <= one["slices"] <= 32:
        return None
    return _time(one["beat"], fine), (537, head, *length, tail, 649 + one["slices"])


_EVENTS = {"notes": _note, "bombs": _bomb, "walls": _wall, "arcs": _arc, "chains": _chain}
