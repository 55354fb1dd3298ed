"""The classes of tokens that people look at: what a sequence is made of, and what a model takes for what.

Belongs here: which id is of which class. Does not belong here: the ids (`vocabulary`), counting (`confusion`,
`report_corpus`). numpy only.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.sequences import vocabulary as v

CLASSES: Mapping[str, tuple[v.Span, ...]] = {
    "header": (v.Span(v.PAD, 2), v.Span(v.DIFF.start, v.POS.start - v.DIFF.start)),
    "bar": (v.Span(v.BAR, 1),),
    "pos": (v.POS,),
    "note": (v.NOTE,),
    "bomb": (v.BOMB,),
    "wall": (v.WALL,),
    "arc": (v.Span(v.ARC, 1),),
    "chain": (v.Span(v.CHAIN, 1),),
    "length": (v.LENB, v.LENT, v.SLICES),
    "fine": (v.FINE,),
    "angle": (v.ANGLE, v.ANGF),
    "end": (v.Span(v.EOS, 1),),
}
"""Class -> its ids. `header` holds what a song's conditions are told with, and the beginning and padding."""

NAMES = tuple(CLASSES)

CONFUSION_FILE = "confusion.json"
"""In a model's directory: which class it takes for which."""


def class_of_id() -> NDArray[np.int64]:
    """Return for each id of the vocabulary the number of its class in `NAMES`, shape (832,).

    Ids that stand for nothing yet count as `header`.
    """
    table = np.zeros(v.SIZE, np.int64)
    for number, spans in enumerate(CLASSES.values()):
        for span in spans:
            table[span.slice] = number
    return table
