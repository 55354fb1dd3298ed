"""Light shows as plain rows, to compare."""

from bgb_assets.modalities.beatmap.writing.lights import Lights


def rows_of(lights: Lights) -> tuple[list[tuple[float, ...]], list[tuple[float, bool]]]:
    """Return the events and the boosts of a show, sorted."""
    columns = (lights.beat, lights.kind, lights.value, lights.strength)
    events = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return events, sorted(zip(lights.boost_beat.tolist(), lights.boost_on.tolist(), strict=True))
