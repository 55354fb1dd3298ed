"""Physical units of signals as files write them. Belongs here: voltages. Does not belong here: calibration."""

import unicodedata

# After NFKC the micro sign U+00B5 is the Greek letter U+03BC.
_TO_MICROVOLTS = {"v": 1e6, "mv": 1e3, "uv": 1.0, "\u03bcv": 1.0, "nv": 1e-3, "": 1.0}


def microvolts(unit: str) -> float | None:
    """Return the factor from a unit to microvolts, or None where it is no voltage; no unit counts as microvolts."""
    return _TO_MICROVOLTS.get(unicodedata.normalize("NFKC", unit).strip().casefold())
