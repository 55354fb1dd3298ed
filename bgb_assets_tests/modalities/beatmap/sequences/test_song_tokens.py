import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.sequences import song_tokens
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.song_tokens import Name, Wanted, encode_songs
from bgb_assets.modalities.beatmap.sequences.token_params import TokenParams
from bgb_assets.modalities.beatmap.sequences.tokenizer import UP_TO_LAST_OBJECT, encode_map, header
from bgb_assets.modalities.beatmap.tables.note_tables import TableBuilder, object_tables
from bgb_assets.runtime.errors import ContractError
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects

HEADER = tuple(header("Hard", "Standard", None, None, v.any_of(v.QUAL)))
TEMPO = tempo_from_events(120.0, [8.0], [60.0]).tempo


def song(directory, seeds):
    """Write the note tables of one song with a difficulty per seed; return what is wanted of it."""
    directory.mkdir()
    builder = TableBuilder()
    wanted = []
    for seed in seeds:
        name = Name("Standard", "Hard", f"map{seed}")
        builder.add(name._asdict() | {"song_hash": directory.name}, object_tables(random_objects(seed), TEMPO))
        wanted.append(Wanted(name, HEADER, UP_TO_LAST_OBJECT))
    builder.write([one.name._asdict() for one in wanted], directory)
    return directory, wanted


@pytest.mark.parametrize("block", [1, 200_000])
def test_songs_are_encoded_as_their_objects_whatever_the_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(song_tokens, "_OBJECTS_PER_BLOCK", block)
    params = TokenParams(kinds=("notes", "bombs", "walls", "arcs", "chains"))
    seeds = [(0, 1), (2,), (3, 4, 5)]
    made = encode_songs((song(tmp_path / str(group), group) for group in seeds), params)
    every = [seed for group in seeds for seed in group]
    for number, seed in enumerate(every):
        expected = encode_map(random_objects(seed), HEADER).sequences
        assert np.array_equal(made.tokens[number], expected.ids)
        assert np.array_equal(made.bar_starts[number], expected.bar_starts)
        beats = random_objects(seed)["notes"]["beat"]
        counts = np.bincount(((beats * 48 + 0.5) // 192).astype(int), minlength=len(made.bar_notes[number]))
        assert np.array_equal(made.bar_notes[number], counts)
        lines = np.arange(len(expected.bar_starts) + 1) * 4
        assert np.allclose(made.bar_seconds[number], TEMPO.time(lines))


def test_only_wanted_difficulties_are_read_and_what_is_left_out_is_counted(tmp_path):
    directory, wanted = song(tmp_path / "a", (0, 1, 2))
    made = encode_songs([(directory, [Wanted(wanted[2].name, HEADER, 1)])], TokenParams(kinds=("notes",)))
    assert len(made.tokens) == 1
    expected = encode_map(random_objects(2), HEADER, 1, ("notes",))
    assert np.array_equal(made.tokens[0], expected.sequences.ids)
    assert made.dropped["after_audio"] == int(expected.dropped["after_audio"][0]) > 0


def test_no_songs_are_nothing(tmp_path):
    assert encode_songs([], TokenParams()).tokens == []


def test_notes_without_a_tempo_table_are_refused(tmp_path):
    directory, wanted = song(tmp_path / "a", (0,))
    assert pq.read_table(directory / "tempo.parquet").num_rows == 2
    (directory / "tempo.parquet").unlink()
    with pytest.raises(ContractError, match=r"tempo\.parquet"):
        encode_songs([(directory, wanted)], TokenParams())
