from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.mri.cohort.note_files import compacted_schemas, plan_tables, write_table
from bgb_assets.runtime.errors import ContractError
from bgb_assets_tests.modalities.mri.cohort_case import PARAMS, Cohort


def two(root: Path) -> Cohort:
    cohort = Cohort(root)
    cohort.add("S1")
    cohort.add("S2", volume_mm3=None)
    return cohort


def test_rows_are_those_of_the_entries_with_their_upload(tmp_path: Path) -> None:
    cohort = two(tmp_path)
    members = cohort.fan_in().members
    (name,) = plan_tables(members, PARAMS)
    write_table(name, members, tmp_path, 10)
    table = pq.read_table(tmp_path / "scans.parquet")
    assert table.schema.equals(compacted_schemas()["scans"])
    for row in table.to_pylist():
        entry = cohort.members[row.pop("upload_id")].entries["notes"]
        assert pq.read_table(entry.directory / "scans.parquet").to_pylist() == [row]


def test_plan_depends_on_content_alone(tmp_path: Path) -> None:
    first = plan_tables(two(tmp_path / "one").fan_in().members, PARAMS)
    assert plan_tables(two(tmp_path / "two").fan_in().members[::-1], PARAMS) == first
    other = two(tmp_path / "three")
    other.add("S2", volume_mm3=5.0)
    assert plan_tables(other.fan_in().members, PARAMS) != first
    assert plan_tables([], PARAMS) == {}


@pytest.mark.parametrize("wrong", ["column", "rows"])
def test_entries_of_another_form_are_refused(tmp_path: Path, wrong: str) -> None:
    cohort = two(tmp_path)
    path = cohort.members["sub-S1_ses-1"].entries["notes"].directory / "scans.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["modality"]) if wrong == "column" else pa.concat_tables([table, table]), path)
    with pytest.raises(ContractError, match="mri/notes 'sub-S1_ses-1': expected one row of"):
        write_table("scans_0000", cohort.fan_in().members, tmp_path, 10)
