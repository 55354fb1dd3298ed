"""Writes annotation files by their grammar, with the freedoms that grammar leaves."""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from bgb_assets.modalities.eeg.annotations.edf_texts import DEFAULT_PATTERNS

CSV_HEAD = ("# version = csv_v1.0.0", "# bname = X", "# duration = 1275.00 secs", "# montage_file = a_montage.txt", "#")
CSV_COLUMNS = "channel,start_time,stop_time,label,confidence"
TSV_COLUMNS = "onset\tduration\teventType"


@dataclass(frozen=True)
class Params:
    unlabelled: str = "quarantine"
    trust: str = "labels"
    extra_labels: tuple[tuple[str, bool], ...] = ()
    edf_text_patterns: tuple[tuple[str, str], ...] = DEFAULT_PATTERNS

    def but(self, **changed):
        return replace(self, **changed)


def write(path: Path, rows, end="\n", byte_order_mark=False) -> Path:
    text = "".join(f"{row}{end}" for row in rows)
    path.write_bytes((b"\xef\xbb\xbf" if byte_order_mark else b"") + text.encode())
    return path


def csv_rows(*rows, columns=CSV_COLUMNS):
    return (*CSV_HEAD, columns, *rows)


def csv_event(start, stop, label="seiz", channel="TERM", comma=","):
    return comma.join((channel, str(start), str(stop), label, "1.0000"))


def tsv_event(start, stop, label="sz"):
    return f"{start}\t{Decimal(str(stop)) - Decimal(str(start))}\t{label}"
