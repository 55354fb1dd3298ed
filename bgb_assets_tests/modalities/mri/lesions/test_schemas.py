import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.lesions.schemas import SCANS, write_scan

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
EMPTY = dict.fromkeys(SCANS.names) | {"participant": {}, "qc_flags": []}


@given(st.dictionaries(TEXT, TEXT, max_size=4), st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_comes_back(tmp_path_factory, participant, volume_mm3):
    out = tmp_path_factory.mktemp("scan")
    row = EMPTY | {"participant": participant, "lesion_volume_mm3": volume_mm3, "lesion_bbox_ijk": (1, 2, 3, 4, 5, 6)}
    write_scan(row, out)
    table = pq.read_table(out / "scans.parquet")
    assert table.schema.equals(SCANS)
    (read,) = table.to_pylist()
    assert dict(read["participant"]) == participant
    assert list(dict(read["participant"])) == sorted(participant)
    assert read["lesion_volume_mm3"] == volume_mm3
    assert read["lesion_bbox_ijk"] == [1, 2, 3, 4, 5, 6]
    assert read["subject_id"] is None


def test_a_column_that_nobody_declared_is_refused(tmp_path):
    with pytest.raises(pa.ArrowInvalid, match="unexpected field"):
        write_scan(EMPTY | {"colour": "red"}, tmp_path)
