"""Audits say nothing about what is right, and name what was changed behind the manifest's back."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.storage import audits
from bgb_assets.storage.manifest import read_rows, rows_schema, write_manifest
from bgb_assets.storage.shards import empty_samples, write_index, write_shard
from bgb_assets.storage.tables import write_listing


@pytest.fixture
def manifest(tmp_path):
    """A manifest of three rows in two groups, without tables."""
    values = {
        "row_id": ["a", "b", "c"],
        "upload": ["u", "u", "v"],
        "group": ["g", "g", "h"],
        "split": [0, 0, 1],
        "fold": [-1, -1, -1],
        "included": [True, True, True],
        "reason": ["", "", ""],
        "weight": [1.0, 1.0, 1.0],
        "entry": ["x", "x", "y"],
    }
    schema = rows_schema({})
    rows = pa.table({name: pa.array(values[name], schema.field(name).type) for name in schema.names}, schema)
    write_manifest(tmp_path, rows, where="toy/manifest", schema=schema, params={})
    write_listing(tmp_path, {})
    return tmp_path


def tamper(manifest, column, values):
    """Change one column of the rows behind the manifest's back."""
    rows = read_rows(manifest)
    at = rows.schema.get_field_index(column)
    pq.write_table(
        rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type)),
        manifest / "rows.parquet",
    )


@pytest.fixture
def shard(tmp_path):
    """An index over one shard of two samples, with its root and the shard's directory."""
    directory = tmp_path / "tokens" / "one"
    directory.mkdir(parents=True)
    held = write_shard(directory, {"tokens": [np.array([1, 2], "<i2"), np.array([3, 9], "<i2")]})
    samples = pa.Table.from_pylist(
        [
            {"sample": name, "shard": 0, "offset": offset, "length": 2, "group": name, "split": 0, "weight": 1.0}
            for name, offset in (("a", 0), ("b", 2))
        ],
        schema=empty_samples().schema,
    )
    index = tmp_path / "index"
    index.mkdir()
    write_index(index, shards=[replace(held, location="tokens/one")], samples=samples)
    return index, tmp_path, directory


def test_leakage_names_the_group(manifest):
    assert audits.leakage(manifest, manifest) == []
    tamper(manifest, "split", [0, 1, 1])
    assert audits.leakage(manifest, manifest) == ["group g is in splits (0, 1)"]


def test_counts_are_held_against_the_rows(manifest):
    assert audits.counts(manifest, manifest) == []
    tamper(manifest, "included", [True, False, True])
    said = audits.counts(manifest, manifest)
    assert "included: says 3, the rows have 2" in said


def test_shards_are_held_against_the_index(shard):
    index, root, directory = shard
    assert audits.shards(index, root) == []
    (directory / "tokens.npy").write_bytes((directory / "tokens.npy").read_bytes()[:-1] + b"\x07")
    assert audits.shards(index, root) == ["tokens/one/tokens.npy: bytes differ from the index (tokens)"]
    (directory / "tokens.npy").unlink()
    assert audits.shards(index, root) == ["tokens/one/tokens.npy is missing"]


def test_values_outside_the_range_are_named(shard):
    index, root, _ = shard
    assert audits.value_range(index, root, "tokens", 1, 9) == []
    assert audits.value_range(index, root, "tokens", 1, 8) == [
        "tokens/one: tokens has values 1 to 9, 1 to 8 are allowed"
    ]
