"""MRI with its real first two stages and small stand-ins behind them, to drive these two through the engine.

Belongs here: the stand-ins, which depend on what they are handed. Does not belong here: what is tested with them.
"""

import hashlib
from pathlib import Path

from bgb_assets.modalities.contract import STAGE_NAMES, Modality, Parts, Reads, Stage, StageResult
from bgb_assets.modalities.mri.pairing.names import NIFTI_PATTERNS
from bgb_assets.modalities.mri.raw import FACTS_FILE, RawParams

_REAL = "bgb_assets.modalities.mri"
_HERE = "bgb_assets_tests.modalities.mri.first_stages"
VOLUMES = ("image_volume", "mask_volume")
TABLES: dict[str, object] = {}


def stand_in(inputs, params, out: Path) -> StageResult:
    """List the digests of what is handed over."""
    folders = [inputs[name] for name in sorted(inputs)] if isinstance(inputs, dict) else []
    found = [
        hashlib.sha256(path.read_bytes()).hexdigest() for folder in folders for path in sorted(folder.rglob("*.*"))
    ]
    (out / "list.txt").write_text("\n".join(found))
    return StageResult(facets={"list": hashlib.sha256("\n".join(found).encode()).hexdigest()})


def _fan_in(name: str, *reads: Reads) -> Stage:
    return Stage(name, f"{_HERE}:stand_in", "1", "", reads=reads, publishes=("list",))


MODALITY = Modality(
    name="mri",
    upload_noun="scan",
    description="",
    discover=f"{_REAL}.raw:discover",
    fingerprint=f"{_REAL}.raw:fingerprint",
    cost_bytes=f"{_REAL}.raw:cost_bytes",
    upload_facets=("image", "mask", "pairing"),
    tables=f"{_HERE}:TABLES",
    synth=f"{_HERE}:stand_in",
    variants={"none": RawParams()},
    default_variant="none",
    stages=(
        Stage(
            "raw",
            f"{_REAL}.raw:run",
            "1",
            "",
            RawParams(),
            (Reads("upload", ("image", "mask", "pairing", "facts"), ("*", FACTS_FILE)),),
            ("image", "mask", "facts"),
        ),
        Stage(
            "cache",
            f"{_REAL}.cache:run",
            "1",
            "",
            None,
            (Reads("raw", ("image", "mask"), ("scan.json",)), Reads("upload", (), NIFTI_PATTERNS)),
            VOLUMES,
            parts=Parts(f"{_REAL}.cache:plan", f"{_REAL}.cache:run_part"),
        ),
        Stage("features", f"{_HERE}:stand_in", "1", "", None, (Reads("cache", VOLUMES, ("*",)),), ("list",)),
        Stage(
            "notes", f"{_HERE}:stand_in", "1", "", None, (Reads("raw", ("facts",)), Reads("cache", VOLUMES)), ("list",)
        ),
        _fan_in("manifest", Reads("notes", ("list",))),
        _fan_in("tokens", Reads("manifest", ("list",))),
        _fan_in("model", Reads("tokens", ("list",))),
    ),
)
assert tuple(stage.name for stage in MODALITY.stages) == STAGE_NAMES
