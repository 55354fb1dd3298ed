"""What the tokens stage depends on. Numbers only, so that describing the modality stays quick.

Belongs here: the params. Does not belong here: the stage (`tokens`, next in the flow).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenParams:
    """What the sequences hold and how they are cut into files.

    Attributes:
        kinds: Kinds of objects that are encoded.
        fine: Keep 1/960 beat and single degrees (for an archive; models are trained on whole ticks).
        shard_bytes: Bound on a shard of several songs.
    """

    kinds: tuple[str, ...] = ("notes", "bombs", "arcs", "chains")
    fine: bool = False
    shard_bytes: int = 1 << 24
