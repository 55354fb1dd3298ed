"""What a person looks at: which pictures there are of a scan, of all scans, and of a training.

Belongs here: stage -> pictures. Does not belong here: how they are drawn (package `pictures`), rendering
(`bgb_assets.runtime.rendering`), those of an evaluation (`pictures.evaluations`), which holds its own files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bgb_assets.modalities.mri.pictures.cohort import cohort_page, left_out_page
from bgb_assets.modalities.mri.pictures.curves import training_curves
from bgb_assets.modalities.mri.pictures.head import Head, conformed_head, native_head, open_delivered
from bgb_assets.modalities.mri.pictures.montage import montage
from bgb_assets.modalities.mri.pictures.planes import planes
from bgb_assets.training.curves import read_curves

Entries: TypeAlias = Mapping[str, Path]
Figures: TypeAlias = Mapping[str, Any]


def pictures(stage: str, entries: Entries, root: Path) -> Figures:
    """Return the figures of one stage by name, those left out for which there is no data.

    Args:
        stage: A stage that `entries` has. `features` gives `montage` and, where the cache is there, `planes` (before
            and after conform); `manifest` gives `cohort` and `left_out`; `model` gives `curves`.
        entries: Stage -> directory, for the entries of one scan, or of the cohort; `cache/image` and `cache/mask` for
            the files of a scan where these lie apart; `logs` of a model.
        root: The store root, which nothing here needs.
    """
    del root
    draw: Mapping[str, Callable[[Entries], Figures]] = {
        "features": _of_features,
        "manifest": _of_manifest,
        "model": _of_model,
    }
    drawn = draw[stage](entries) if stage in draw else {}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _of_features(entries: Entries) -> Figures:
    head = conformed_head(entries["features"])
    if head is None:
        return {}
    drawn = {"montage": montage(head, _title(head))}
    image = open_delivered(entries, "image")
    if image is not None:
        native = native_head(image, open_delivered(entries, "mask"))
        rows = [("as delivered", native), ("conformed", head)]
        drawn["planes"] = planes(rows, f"Through the {'head' if head.lesion is None else 'lesion'}, before and after")
    return drawn


def _of_manifest(entries: Entries) -> Figures:
    manifest = entries["manifest"]
    return {"cohort": cohort_page(manifest), "left_out": left_out_page(manifest)}


def _of_model(entries: Entries) -> Figures:
    return {"curves": training_curves(read_curves(entries["logs"]))} if "logs" in entries else {}


def _title(head: Head) -> str:
    if head.truth is None:
        return "No mask: slices through the head"
    x, y, z = head.spacing_mm
    volume_ml = int(head.truth.sum()) * x * y * z / 1000
    return f"A lesion of {volume_ml:.2f} ml" if volume_ml else "A mask without a lesion: slices through the head"
