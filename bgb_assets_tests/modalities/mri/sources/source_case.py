"""Data sets of small scans in BIDS folders, as git-annex keeps them, and as rows of Parquet.

Belongs here: writing them and driving a source over them. Does not belong here: what is tested with them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.sources import Offer, Source
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put, voxels

MASKS = "derivatives/lesion_masks"
FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
LISTS = ("t1w", "t2w", "flair", "bold_naming40", "bold_rest", "dwi", "sbref")
SCHEMA = pa.schema(
    [
        *(("subject_id", pa.string()), ("session_id", pa.string())),
        *((name, pa.list_(FILE)) for name in LISTS),
        ("t2w_acquisition", pa.string()),
        *((name, pa.list_(pa.string())) for name in ("dwi_bvals", "dwi_bvecs")),
        ("lesion", FILE),
        *((name, pa.float32()) for name in ("age_at_stroke", "wab_aq", "wab_days")),
        *((name, pa.string()) for name in ("sex", "race", "wab_type")),
    ]
)
"""The 19 columns."""


def image_of(seed: int) -> bytes:
    """Return a small image."""
    return packed(nifti(voxels((6, 7, 8), seed=seed)))


def mask_of(seed: int) -> bytes:
    """Return a small mask on the same grid."""
    return packed(nifti((voxels((6, 7, 8), seed=seed) > 60).astype("u1")))


def image_path(subject: str, session: str, entities: str = "acq-spc3p2", kind: str = "T2w") -> str:
    """Return where BIDS has an image."""
    middle = f"_{entities}" if entities else ""
    return f"sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}{middle}_{kind}.nii.gz"


def mask_path(image: str) -> str:
    """Return where the mask of an image lies."""
    return f"{MASKS}/{image.removesuffix('.nii.gz')}_desc-lesion_mask.nii.gz"


def sidecar_path(image: str) -> str:
    """Return where the sidecar of an image's mask lies."""
    return mask_path(image).removesuffix(".nii.gz") + ".json"


def put_scan(root: Path, image: str, seed: int, *, reference: str | None = None, masked: bool = True) -> None:
    """Write an image, its mask and the mask's sidecar, which refers to the image unless it is told otherwise."""
    put(root / image, image_of(seed))
    if masked:
        put(root / mask_path(image), mask_of(seed))
        said = {"SpatialReference": f"bids:raw:{image}" if reference is None else reference}
        put(root / sidecar_path(image), json.dumps(said).encode())


def annexed(root: Path, path: str) -> Path:
    """Turn a file into a link as git-annex makes it; return where its bytes lie now."""
    file = root / path
    data = file.read_bytes()
    key = f"SHA256E-s{len(data)}--{hashlib.sha256(data).hexdigest()}.nii.gz"
    held = put(root / ".git/annex/objects/Xx/Yy" / key / key, data)
    file.unlink()
    file.symlink_to(Path(*[".."] * path.count("/")) / held.relative_to(root))
    return held


def file_of(data: bytes | None, path: str | None) -> dict[str, Any]:
    """Return a struct as a row holds it."""
    return {"bytes": data, "path": path}


def row_of(subject: str, session: str, seed: int, **other: Any) -> dict[str, Any]:
    """Return a row of a labelled scan with bytes, and bare names beside them."""
    name = Path(image_path(subject, session)).name
    row: dict[str, Any] = {
        "subject_id": f"sub-{subject}",
        "session_id": f"ses-{session}",
        "t2w": [file_of(image_of(seed), name)],
        "t2w_acquisition": "space_2x",
        "lesion": file_of(mask_of(seed), Path(mask_path(name)).name),
    }
    return row | other


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, group: int = 1, schema: pa.Schema = SCHEMA) -> Path:
    """Write rows, of which what is not given is null, so many to a row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(whole, schema), path, row_group_size=group)
    return path


def planned(source: Source, work: Path, held: Mapping[str, str] | None = None) -> dict[str, Offer]:
    """Return what a source offers, by path."""
    work.mkdir(parents=True, exist_ok=True)
    return {offer.path: offer for offer in source.plan(held or {}, work)}


def versions(offers: Mapping[str, Offer]) -> dict[str, str]:
    """Return what would be held if all of these had been fetched."""
    return {path: offer.version for path, offer in offers.items()}


def fetched(source: Source, offer: Offer, work: Path, out: Path) -> dict[str, bytes]:
    """Fetch one offer; return what was written, by path."""
    out.mkdir(parents=True)
    source.fetch(offer, work, out)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def lines_of(caplog: Any) -> str:
    """Return what was logged so far, as one text."""
    return "\n".join(record.getMessage() for record in caplog.records)


def names_of(offers: Iterable[str]) -> list[str]:
    """Return paths of offers without the source's name, sorted."""
    return sorted(path.partition(".")[2] for path in offers)
