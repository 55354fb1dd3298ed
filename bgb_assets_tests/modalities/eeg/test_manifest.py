import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows import audits
from bgb_assets.modalities.eeg.windows.balance import balanced_draw
from bgb_assets.modalities.eeg.windows.classic import classic_manifest, write_classic_manifest
from bgb_assets.modalities.eeg.windows.windows import CATEGORY_NAMES
from bgb_assets.runtime.errors import BadInput, ContractError, UsageError
from bgb_assets.storage.audits import counts, leakage
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.pins import Pins, write_pins
from bgb_assets.storage.splits import SPLIT_NAMES, TEST, SplitParams, split_of
from bgb_assets.storage.table_reader import Tables
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

W, S = 15_360, 2_560


def windows_in(directory: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(directory / "windows.parquet")
    return {name: np.array(table.column(name).to_pylist()) for name in table.column_names}


def small(root: Path) -> Corpus:
    corpus = Corpus(root)
    corpus.add("a_1", [W + 12 * S], [(30.0, 110.5)], split="train")
    corpus.add("a_2", [W + 5 * S, 5_000], [(40.0, 55.0)], split="train")
    corpus.add("b_1", [W + 3 * S], [(20.0, 40.0)], split="val")
    corpus.add("c_1", [W], [(0.0, 60.0)], split="test")
    corpus.add("d_1", [W + S], labelled="inference_only")
    return corpus


def test_plan_of_real_annotations(tmp_path: Path) -> None:
    folder = shared_data("eeg") / "seizeit2"
    corpus = Corpus(tmp_path)
    for path in sorted(folder.rglob("*_events.tsv")):
        parsed = read_events_tsv(path)
        samples = int(256 * parsed.durations_s[0][1])
        seizures_s = [(event.onset_s, event.offset_s) for event in parsed.events if event.is_seizure]
        key = path.name.removesuffix("_events.tsv")
        corpus.add(key, [samples], seizures_s, patient=key.partition("_")[0], written=False)
    assert len(corpus.members) == 44
    directory, _ = corpus.manifest()
    windows = windows_in(directory)
    assert [np.count_nonzero(windows["category"] == kind) for kind in CATEGORY_NAMES] == [145_997, 587, 247]
    assert windows["positive_samples"].sum() == 6_714_624
    draw = balanced_draw(windows["category"].astype(np.int8), np.ones(146_831, bool))
    assert draw.drawn == (176, 1_467)
    ids = draw.ids(0)
    assert len(ids) == 2_230
    assert hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest() == (
        "5c1b938e5cc57c29adf14ff81daf1be6df6b411d9f32dde10e8928f478bb4e3f"
    )
    assert leakage(directory, tmp_path) == []
    assert counts(directory, tmp_path) == []
    rows = read_rows(directory)
    for patient, split in zip(rows.column("group").to_pylist(), rows.column("split").to_pylist(), strict=True):
        assert split == split_of("eeg", patient, SplitParams(val=0.15, test=0.15))


def test_rows_windows_and_counts_say_the_same(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, result = corpus.manifest()
    rows, manifest, windows = read_rows(directory).to_pylist(), read_counts(directory), windows_in(directory)
    assert [row["row_id"] for row in rows] == ["a_1", "a_2", "b_1", "c_1", "d_1"]
    assert [row["windows"] for row in rows] == [13, 7, 4, 1, 2]
    assert [row["first_window"] for row in rows] == [0, 13, 20, 24, 25]
    assert [row["ictal_samples"] for row in rows] == [int(80.5 * 256), 15 * 256, 20 * 256, W, 0]
    assert rows[4]["reason"] == "unlabelled"
    assert windows["recording"].tolist() == np.repeat(np.arange(5), [13, 7, 4, 1, 2]).tolist()
    assert windows["split"].tolist() == np.repeat([0, 0, 1, 2, -1], [13, 7, 4, 1, 2]).tolist()
    assert windows["valid_samples"].tolist() == [W] * 19 + [5_000] + [W] * 7
    for code, name in ((0, "train"), (1, "val"), (2, "test")):
        chosen, found = windows["split"] == code, manifest["windows"][name]
        assert found["windows"] == chosen.sum()
        for kind, category in CATEGORY_NAMES.items():
            assert found[category] == np.count_nonzero(windows["category"][chosen] == kind)
        assert found["positive_samples"] == windows["positive_samples"][chosen].sum()
        assert found["seizure_ratio"] == (found["partial"] + found["full"]) / found["windows"]
        assert found["positive_sample_ratio"] == found["positive_samples"] / windows["valid_samples"][chosen].sum()
    assert result.metadata["windows"] == manifest["windows"]
    assert manifest["window_samples"] == W
    recordings = pq.read_table(directory / "recordings.parquet").to_pylist()
    assert [(one["recording"], one["patient"], one["first_window"]) for one in recordings] == [
        (row["row_id"], row["group"], row["first_window"]) for row in rows
    ]
    assert all(
        audit(directory, tmp_path) == []
        for audit in (counts, leakage, audits.audit_schema, audits.audit_lengths, audits.audit_seizures)
    )


def test_counts_are_those_of_every_sample_of_500_random_recordings(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    corpus, expected = Corpus(tmp_path), np.zeros((3, 5), np.int64)
    params = ManifestParams(window_s=0.25, stride_s=0.0625)
    for number in range(500):
        # In 1 to 4 segments with gaps between, some empty, some shorter than a window; seizures in parts of samples.
        segments = rng.integers(0, 200, rng.integers(1, 5)).tolist()
        edges_s = np.sort(rng.uniform(0, sum(segments) / 256, 2 * rng.integers(0, 4)))
        at = np.concatenate([[0], np.cumsum(segments)]) / 256
        late_s = 100 * (np.searchsorted(at[1:-1], edges_s, side="right") if len(segments) > 1 else 0)
        seizures_s = list(map(tuple, (edges_s + late_s).reshape(-1, 2).tolist()))
        split = number % 3
        corpus.add(f"r{number:03d}", segments, seizures_s, split=SPLIT_NAMES[split], written=False)
        expected[split] += counted_by_sample(segments, seizures_s)
    found = read_counts(corpus.manifest(params)[0])["windows"]
    names = ("none", "partial", "full", "positive_samples", "valid_samples")
    assert [[found[SPLIT_NAMES[split]][name] for name in names] for split in range(3)] == expected.tolist()
    assert expected.min() > 100, "every kind is there"


def counted_by_sample(segments: list[int], seizures_s: list[tuple[float, float]]) -> list[int]:
    """Return windows of 64 samples every 16 without, with part and full of seizure; ictal and all samples of them."""
    counts, onset_s = [0, 0, 0, 0, 0], 0.0
    for count in segments:
        clock = [round(onset_s * 256) + sample for sample in range(count)]
        label = [any(int(a * 256) <= now < int(b * 256) for a, b in seizures_s) for now in clock]
        start = 0
        while label and (start == 0 or start + 64 <= len(label)):
            inside = label[start : start + 64]
            counts[0 if not any(inside) else 2 if sum(inside) >= 0.99 * 64 else 1] += 1
            counts[3], counts[4] = counts[3] + sum(inside), counts[4] + len(inside)
            start += 16
        onset_s += count / 256 + 100
    return counts


def test_own_split_wins_and_the_rest_is_by_hash_of_the_patient(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    for number in range(40):
        corpus.add(f"p{number:03d}_1", [W], written=False, split="test" if number == 7 else None)
        corpus.add(f"p{number:03d}_2", [W], written=False)
    before = {row["row_id"]: row["split"] for row in read_rows(corpus.manifest()[0]).to_pylist()}
    assert before["p007_1"] == before["p007_2"] == TEST
    for number in range(100):
        corpus.add(f"n{number:03d}_1", [W], written=False)
    directory, _ = corpus.manifest()
    after = {row["row_id"]: row["split"] for row in read_rows(directory).to_pylist()}
    assert {key: after[key] for key in before} == before, "a new recording moved an old one"
    assert leakage(directory, tmp_path) == []
    assert {SPLIT_NAMES[code] for code in after.values()} == {"train", "val", "test"}


def test_one_signal_under_two_patients_fails_with_both_names(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    corpus.add("twin_1", [W + 12 * S], like="a_1")
    with pytest.raises(BadInput, match=r"'a_1' and 'twin_1' hold the same signal, but patients 'a' and 'twin' differ"):
        corpus.manifest()


def test_one_signal_twice_under_one_patient_is_warned_of(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    corpus.add("a_3", [W + 12 * S], like="a_1", split="train")
    assert "recordings 'a_1' and 'a_3' hold the same signal: it counts twice" in corpus.manifest()[1].warnings


def test_one_patient_in_two_splits_fails(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    corpus.add("a_3", [W], split="val")
    with pytest.raises(BadInput, match="patient 'a' is in train and val"):
        corpus.manifest()


def test_nothing_moves_out_of_a_pinned_test_split(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    write_pins(tmp_path / "pins" / "eeg", Pins(splits={"a": TEST}))
    directory, result = corpus.manifest()
    rows = {row["row_id"]: row for row in read_rows(directory).to_pylist()}
    assert rows["a_1"]["reason"] == rows["a_2"]["reason"] == "split_conflict"
    assert not (windows_in(directory)["split"][:20] >= 0).any()
    assert any("2 recordings are left out as split_conflict" in warning for warning in result.warnings)


def test_split_without_a_seizure_is_warned_of_and_found_by_the_audit(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    corpus.add("a_1", [W], split="train")
    directory, result = corpus.manifest()
    assert result.warnings == ("split train has 1 windows and no seizure",)
    assert audits.audit_seizures(directory, tmp_path) == [
        "split train: no window of 1 holds a seizure",
        "split val: no window of 0 holds a seizure",
        "split test: no window of 0 holds a seizure",
    ]


def test_nothing_is_a_valid_corpus(tmp_path: Path) -> None:
    directory, result = Corpus(tmp_path).manifest()
    assert result.metadata["rows"] == 0
    assert read_counts(directory)["windows"]["train"]["seizure_ratio"] is None
    assert audits.audit_lengths(directory, tmp_path) == []


def test_what_changed_changes_the_manifest_and_nothing_else_does(tmp_path: Path) -> None:
    first = small(tmp_path / "here").manifest()[1].facets
    assert small(tmp_path / "moved").manifest()[1].facets == first
    assert small(tmp_path / "stride").manifest(ManifestParams(stride_s=5.0))[1].facets["windows"] != first["windows"]
    label = small(tmp_path / "label")
    label.add("a_9", [W], [(1.0, 2.0)], split="train")
    assert label.manifest()[1].facets["rows"] != first["rows"]
    unlike = small(tmp_path / "edited")
    notes = Corpus(tmp_path / "edited" / "again")
    notes.add("a_1", [W + 12 * S], [(30.0, 110.0)], split="train", like="a_1")
    entries = {**unlike.members["a_1"].entries, "notes": notes.members["a_1"].entries["notes"]}
    unlike.members["a_1"] = dataclasses.replace(unlike.members["a_1"], entries=entries)
    assert unlike.manifest()[1].facets["windows"] != first["windows"]


def test_notes_of_another_length_than_the_features_are_refused(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    other = Corpus(tmp_path / "other")
    other.add("a_1", [W], split="train")
    entries = {**corpus.members["a_1"].entries, "notes": other.members["a_1"].entries["notes"]}
    corpus.members["a_1"] = dataclasses.replace(corpus.members["a_1"], entries=entries)
    with pytest.raises(ContractError, match=r"eeg/manifest 'a_1': notes count 15360 samples, features 46080"):
        corpus.manifest()


def test_tables_name_the_recording_and_one_more_rewrites_one_file_of_each(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, _ = corpus.manifest()
    with Tables(directory, tmp_path) as tables:
        assert set(tables.names) == {"events", "intervals"}
        assert tables.read("events").column("recording").to_pylist() == ["a_1", "a_2", "b_1", "c_1"]
        assert tables.of_upload("intervals", "a_2").to_pylist() == [
            {"recording": "a_2", "start_sample": 40 * 256, "stop_sample": 55 * 256}
        ]
    segments = pq.read_table(directory / "segments.parquet").to_pylist()
    assert [row["recording"] for row in segments] == [0, 1, 1, 2, 3, 4]
    assert segments[2] == {"recording": 1, "start_sample": W + 5 * S, "samples": 5_000, "onset_s": 100 + W / 256 + 50}
    corpus.manifest()
    assert corpus.parts_made == []
    corpus.add("z_1", [W])
    corpus.manifest()
    assert corpus.parts_made == [], "a recording without events has no rows"
    corpus.add("z_2", [W], [(1.0, 2.0)])
    corpus.manifest()
    assert corpus.parts_made == ["events_0000", "intervals_0000"]


def test_audits_find_what_lies_on_the_disk(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, _ = corpus.manifest()
    path = tmp_path / corpus.members["b_1"].entries["features"].location / "signal.i16"
    path.write_bytes(path.read_bytes()[:-38])
    expected = (W + 3 * S) * 38
    found = audits.audit_lengths(directory, tmp_path)
    assert found == [f"b_1: {path.relative_to(tmp_path)} has {expected - 38} bytes, expected {expected}"]
    table = pq.read_table(directory / "windows.parquet")
    pq.write_table(table.slice(1), directory / "windows.parquet")
    assert audits.audit_lengths(directory, tmp_path)[0] == "a_1: 12 windows, its segments make 13"


def test_audits_name_recordings_to_look_at(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, _ = corpus.manifest()
    rows = read_rows(directory)
    for name, values in {
        "disagreement_s": [0.5, 1.5, None, 0.0, None],
        "clipped_share": [0.0, 0.0, 0.02, 0.0, 0.0],
        "flat_share": [0.0, 0.0, 0.0, 0.5, 0.1],
    }.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), [values])
    pq.write_table(rows, directory / "rows.parquet")
    assert audits.audit_disagreement(directory, tmp_path) == ["a_2: 1.5 s between two annotations"]
    assert audits.audit_quality(directory, tmp_path) == [
        "b_1: 0.02 of the samples are clipped",
        "c_1: 0.5 of the samples are flat",
    ]


def test_classic_form(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, _ = corpus.manifest()
    found = classic_manifest(directory)
    windows = windows_in(directory)
    assert {name: len(items) for name, items in found.items()} == {
        "partial_seizure": int(np.count_nonzero((windows["category"] == 1) & (windows["split"] >= 0))),
        "full_seizure": 4,
        "no_seizure": int(np.count_nonzero((windows["category"] == 0) & (windows["split"] >= 0))),
    }
    place = corpus.members["c_1"].entries["features"].location
    assert classic_manifest(directory, "test")["full_seizure"] == [
        {"cache_file": f"{place}/signal.i16", "window_idx": 0}
    ]
    second = corpus.members["a_2"].entries["features"].location
    numbers = [one["window_idx"] for items in found.values() for one in items if one["cache_file"].startswith(second)]
    assert sorted(numbers) == list(range(7))
    assert write_classic_manifest(directory, tmp_path / "classic.json")["full_seizure"] == 4
    assert json.loads((tmp_path / "classic.json").read_text()) == found
    with pytest.raises(UsageError, match="'eval'"):
        classic_manifest(directory, "eval")
