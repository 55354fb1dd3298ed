"""Uploads of one recording, run through stages raw and cache in directories of a test."""

from pathlib import Path

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.eeg import cache, raw
from bgb_assets_tests.modalities.eeg.recordings.edf_files import write_edf

CSV_BI = "# version = csv_v1.0.0\n# bname = {stem}\n# duration = {seconds:.4f} secs\n#\n"
COLUMNS = "channel,start_time,stop_time,label,confidence\n"


def write_upload(folder: Path, stem: str = "p1_a", rows: str = "TERM,1.0000,2.0000,seiz,1.0000\n", **edf) -> Path:
    """Write an EDF of four seconds with its csv_bi."""
    write_edf(folder / f"{stem}.edf", **edf)
    seconds = edf.get("seconds", 4)
    (folder / f"{stem}.csv_bi").write_text(CSV_BI.format(stem=Path(stem).name, seconds=seconds) + COLUMNS + rows)
    return folder


def run_raw(upload: Path, out: Path, **params) -> StageResult:
    """Run stage raw on a directory."""
    out.mkdir()
    return raw.run({"upload": upload}, raw.RawParams(**params), out)


def run_cache(upload: Path, raw_out: Path, out: Path) -> StageResult:
    """Run stage cache with what raw wrote."""
    out.mkdir()
    return cache.run({"upload": upload, "raw": raw_out}, cache.CacheParams(), out)
