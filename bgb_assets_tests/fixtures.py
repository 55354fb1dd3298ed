"""Where tests find real recordings and maps: beside the checkout, in `../shared/data`, or in `BGB_TEST_DATA`."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_data(modality: str) -> Path:
    """Return the folder of real fixtures of one modality, or skip the test with the reason."""
    root = Path(os.environ.get("BGB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = root / modality
    if not folder.is_dir():
        pytest.skip(f"fixtures absent: no folder {folder}; set BGB_TEST_DATA to the folder that holds {modality}/")
    return folder
