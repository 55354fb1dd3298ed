import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.beatmap.tables.note_tables import TableBuilder, object_tables
from bgb_assets.modalities.beatmap.tables.schemas import TABLES
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed

NAMES = {"song_hash": "s", "beatmap_id": "b", "characteristic": "Standard", "difficulty": "Expert"}


def built(*documents):
    builder = TableBuilder()
    for number, document in enumerate(documents):
        difficulty = parsed(document)
        builder.add(NAMES | {"beatmap_id": f"b{number}"}, object_tables(difficulty.parsed.objects, difficulty.tempo))
    return builder


def tables(builder, folder):
    builder.write([NAMES | {"status": "ok"}], folder)
    return {path.stem: pq.read_table(path) for path in folder.iterdir()}


def test_coordinates_survive_or_are_clamped_and_marked(tmp_path):
    builder = built(difficulty_v3(*({"b": beat, "x": x} for beat, x in enumerate((1000, 3000, -1, 40_000, 2)))))
    notes = tables(builder, tmp_path)["notes"].to_pydict()
    assert notes["x"] == [1000, 3000, -1, 32767, 2]
    assert notes["clamped"] == [False, False, False, True, False]
    assert notes["in_grid"] == [False, False, False, False, True]
    assert builder.clamped == 1


@pytest.mark.parametrize(("value", "stored"), [(1e300, 32767), (-1e300, -32768), (2**31, 32767), (-32768, -32768)])
def test_nothing_wraps(tmp_path, value, stored):
    notes = tables(built(difficulty_v3({"x": value, "d": value, "a": value})), tmp_path)["notes"].to_pydict()
    assert notes["x"] == notes["cut_direction"] == notes["angle_deg"] == [stored]


def test_what_single_precision_cannot_hold_is_clamped_and_counted(tmp_path):
    arc = {"b": 1, "tb": 2, "mu": 1e300, "tmu": -1e300}
    builder = built(difficulty_v3(sliders=[arc]))
    arcs = tables(builder, tmp_path)["arcs"].to_pydict()
    largest = float(np.finfo(np.float32).max)
    assert (arcs["mult"], arcs["tail_mult"]) == ([largest], [-largest])
    assert builder.clamped == 2


def test_ends_are_times_of_beats_through_tempo_changes(tmp_path):
    document = difficulty_v3(
        bpmEvents=[{"b": 8, "m": 60}, {"b": 12, "m": 240}],
        obstacles=[{"b": 10, "d": 4}],
        sliders=[{"b": 10, "tb": 14}],
        burstSliders=[{"b": 10, "tb": 14, "s": 0.5}],
    )
    found = tables(built(document), tmp_path)
    assert found["walls"]["time_s"].to_pylist() == [6.0]
    assert found["walls"]["end_time_s"].to_pylist() == [8.5]
    assert found["arcs"]["tail_time_s"].to_pylist() == found["chains"]["tail_time_s"].to_pylist() == [8.5]
    assert found["tempo"].select(["beat", "time_s", "bpm"]).to_pydict() == {
        "beat": [0, 8, 12],
        "time_s": [0, 4, 8],
        "bpm": [120, 60, 240],
    }


def test_every_table_has_its_schema_and_one_row_group(tmp_path):
    document = difficulty_v3({}, bombNotes=[{}], obstacles=[{}], sliders=[{}], burstSliders=[{}])
    njs = {"version": "4.1.0", "njsEvents": [{"b": 1}], "njsEventData": [{"d": 2.5, "e": 1, "p": 1}]}
    found = tables(built(document, njs), tmp_path)
    assert set(found) == set(TABLES)
    for name, table in found.items():
        assert table.schema.equals(TABLES[name]), name
        assert pq.ParquetFile(tmp_path / f"{name}.parquet").num_row_groups == 1
        assert pq.ParquetFile(tmp_path / f"{name}.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    assert found["njs"].select(["beat", "delta", "easing", "extend"]).to_pylist() == [
        {"beat": 1.0, "delta": 2.5, "easing": 1, "extend": 1}
    ]


def test_empty_tables_write_no_file(tmp_path):
    assert set(tables(built(difficulty_v3()), tmp_path)) == {"tempo", "beatmaps"}


def test_rows_of_two_difficulties_keep_their_names(tmp_path):
    notes = tables(built(difficulty_v3({"b": 1}, {"b": 2}), difficulty_v3({"b": 3})), tmp_path)["notes"]
    assert notes["beatmap_id"].to_pylist() == ["b0", "b0", "b1"]
    assert pa.types.is_dictionary(notes.schema.field("beatmap_id").type)


def test_the_digest_is_of_values_and_names():
    same = built(difficulty_v3({"b": 1})).digest()
    assert built(difficulty_v3({"b": 1.0})).digest() == same
    assert built(difficulty_v3({"b": 1.5})).digest() != same
    assert built(difficulty_v3({"b": 1}), difficulty_v3({"b": 1})).digest() != same
    assert built(difficulty_v3(bombNotes=[{"b": 1}])).digest() != same


def test_columns_are_little_endian_whatever_the_machine():
    builder = built(difficulty_v3({"b": 1}))
    (_, columns), *_ = builder.pieces["notes"]
    assert all(column.dtype == column.dtype.newbyteorder("<") for column in columns.values())
    assert all(isinstance(column, np.ndarray) for column in columns.values())
