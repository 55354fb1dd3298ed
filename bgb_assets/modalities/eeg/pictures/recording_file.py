"""Pictures of a recording that lies in no store: any file that can be read, with the labels that lie beside it.

Belongs here: taking one recording through the stages of uploads in a temporary folder. Does not belong here: which
pictures there are (`report`).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.eeg import cache, features, notes, raw
from bgb_assets.modalities.eeg.report import pictures
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.one_upload import upload_around

_STAGES = ("raw", "cache", "features", "notes")


def file_pictures(path: Path) -> Mapping[str, Any]:
    """Return the figures of one recording by name: `features-quality`, `notes-traces` and so on.

    Args:
        path: A recording file, whose labels may lie beside it but need not, or a folder with one recording.

    Raises:
        UsageError: There is nothing at `path`, or no recording.
        BadInput: The recording or its labels cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-eeg-") as space:
        upload = upload_around(
            path, raw.discover, Path(space) / "upload", "recording", "an EDF, BDF, BrainVision or EEGLAB file"
        )
        entries = _entries(upload, Path(space))
        return {
            f"{stage}-{name}": figure
            for stage in ("features", "notes")
            for name, figure in pictures(stage, entries, Path(space)).items()
        }


def _entries(upload: Path, space: Path) -> dict[str, Path]:
    entries = {stage: space / stage for stage in _STAGES}
    for out in entries.values():
        out.mkdir()
    given = {"upload": upload, **entries}
    raw.run(given, raw.RawParams(unlabelled="inference_only"), entries["raw"])
    cache.run(given, cache.CacheParams(), entries["cache"])
    features.run(given, FeatureParams(), entries["features"])
    notes.run(given, notes.NotesParams(), entries["notes"])
    return entries
