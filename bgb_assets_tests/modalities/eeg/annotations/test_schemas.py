import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ArrowInvalid

from bgb_assets.modalities.eeg.annotations.schemas import TABLES, write_tables

EVENT = {
    "event": 0,
    "onset_s": 0.1 + 0.2,
    "offset_s": 81.776,
    "label": 14,
    "label_text": "sz_foc",
    "is_seizure": True,
    "channels": ["C3-P3", "T3"],
    "confidence": None,
    "source": "csv",
    "line": 7,
}


def test_rows_come_back_with_their_types_and_nulls(tmp_path):
    rows = [EVENT, EVENT | {"event": 1, "channels": [], "confidence": 0.5, "label_text": "2000-01-01"}]
    write_tables({"events": rows, "intervals": []}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]
    table = pq.read_table(tmp_path / "events.parquet")
    assert table.schema.equals(TABLES["events"])
    assert table.to_pylist() == rows


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_times_keep_every_bit(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("rows")
    write_tables({"segments": [{"start_sample": 2**62, "samples": 1, "onset_s": value} for value in values]}, folder)
    assert pq.read_table(folder / "segments.parquet")["onset_s"].to_pylist() == values


def test_a_column_that_no_schema_knows_is_refused(tmp_path):
    with pytest.raises(ArrowInvalid):
        write_tables({"intervals": [{"start_sample": 0, "stop_sample": 1, "label": 2}]}, tmp_path)


def test_no_worker_imports_pandas_for_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; from bgb_assets.modalities.eeg.annotations.schemas import write_tables;"
        "write_tables({'intervals': [{'start_sample': 0, 'stop_sample': 1}]}, Path(sys.argv[1]));"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert (tmp_path / "intervals.parquet").is_file()
