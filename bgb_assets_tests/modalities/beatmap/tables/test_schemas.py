import pyarrow as pa

from bgb_assets.modalities.beatmap.tables.schemas import NAMES, TABLES


def test_all_tables_begin_with_the_same_dictionary_columns():
    for name, schema in TABLES.items():
        assert tuple(schema.names[:4]) == NAMES, name
        assert all(pa.types.is_dictionary(schema.field(column).type) for column in NAMES)


def test_no_column_is_too_narrow_for_coordinates():
    for table in ("notes", "bombs", "walls", "arcs", "chains"):
        for column in ("x", "y"):
            assert TABLES[table].field(column).type == pa.int16()


def test_times_and_beats_are_doubles():
    for table, schema in TABLES.items():
        for field in schema:
            if field.name in ("beat", "tail_beat", "bpm", "bpm_base") or field.name.endswith("_s"):
                expected = pa.float32() if field.name == "peak_nps_4s" else pa.float64()
                assert field.type == expected, (table, field.name)


def test_the_notes_table_in_full():
    assert TABLES["notes"].names[4:] == [
        "bpm",
        "beat",
        "time_s",
        "x",
        "y",
        "color",
        "cut_direction",
        "angle_deg",
        "in_grid",
        "fake",
        "clamped",
    ]
