import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import NewerStore, StoreError
from bgb_assets.storage.records import Output, Record, record_from_bytes

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
plain = st.dictionaries(names, st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | names)
RECORD = Record("toy", "raw", "ab", {"stage": "raw/toy"}, {"a": "f" * 64}, {"x/y.bin": Output(3, "e" * 64)})


@given(
    st.builds(
        Record,
        modality=names,
        stage=names,
        identity=names,
        parts_of_identity=plain,
        facets=st.dictionaries(names, names),
        outputs=st.dictionaries(names, st.builds(Output, st.integers(0, 2**40), names)),
        metadata=plain,
        warnings=st.lists(names).map(tuple),
        absent=st.none() | names,
        references=st.dictionaries(names, names),
        parts=st.dictionaries(names, names),
        members=st.dictionaries(names, names),
        evicted=st.booleans(),
        observed=plain,
    )
)
def test_record_is_read_as_it_was_written(record: Record) -> None:
    data = record.to_bytes()
    read = record_from_bytes(data, "here")
    assert read == record
    assert read.to_bytes() == data
    assert read.data_version == record.data_version


def test_data_version_is_of_outputs_not_of_how_they_were_made() -> None:
    other = Record("toy", "raw", "cd", {"code": "2"}, RECORD.facets, RECORD.outputs, observed={"seconds": 3.0})
    assert other.data_version == RECORD.data_version
    changed = Record("toy", "raw", "ab", {}, RECORD.facets, {"x/y.bin": Output(3, "d" * 64)})
    assert changed.data_version != RECORD.data_version


def test_size_and_flatness() -> None:
    assert RECORD.size_bytes == 3
    assert not RECORD.is_flat
    assert Record("toy", "raw", "ab", {}, {}, {"y.bin": Output(1, "e")}).is_flat


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"{}", RECORD.to_bytes()[:-30], RECORD.to_bytes().replace(b'"bytes": 3', b"")]
)
def test_damaged_record_is_said_so(data: bytes) -> None:
    with pytest.raises(StoreError, match=r"here: not a valid record .*delete the entry"):
        record_from_bytes(data, "here")


def test_outputs_of_the_wrong_kind_are_damage() -> None:
    value = json.loads(RECORD.to_bytes())
    with pytest.raises(StoreError, match="not a valid record"):
        record_from_bytes(json.dumps({**value, "outputs": []}).encode(), "here")


def test_newer_record_is_refused() -> None:
    value = json.loads(RECORD.to_bytes())
    with pytest.raises(NewerStore, match="record format 2 is newer than 1; update"):
        record_from_bytes(json.dumps({**value, "format": 2}).encode(), "here")
