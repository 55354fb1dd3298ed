import pytest

from bgb_assets.modalities.mri.pairing.participants import clean, participant_row
from bgb_assets.runtime.errors import BadInput

TABLE = 'participant_id\tsex\twab_type\tage\nsub-M1\tF\tBroca \tn/a\nM2\t"M\t\t61.5\n'


def test_a_row_is_trimmed_and_what_says_nothing_left_out(tmp_path):
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "participants.tsv").write_text(TABLE)
    files = ["ds/participants.tsv"]
    assert participant_row(tmp_path, files, "sub-M1") == {"sex": "F", "wab_type": "Broca"}
    assert participant_row(tmp_path, files, "sub-M2") == {"age": "61.5", "sex": '"M'}
    assert participant_row(tmp_path, files, "sub-M3") == {}
    assert participant_row(tmp_path, [], "sub-M1") == {}


def test_names_come_in_order():
    assert list(clean({"b": "1", " a ": " 2 ", "c": "n/a", "d": "  "}).items()) == [("a", "2"), ("b", "1")]


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "participants.tsv").write_bytes(b"participant_id\tname\nsub-1\t\xe9\n")
    with pytest.raises(BadInput, match=r"participants\.tsv: not a table in UTF-8"):
        participant_row(tmp_path, ["participants.tsv"], "sub-1")
