"""What a change of a recording, its labels or a param makes again, counted stage by stage, and what it does not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bgb_assets.engine.explain import why_fan_in, why_upload
from bgb_assets.engine.space import prune
from bgb_assets.storage.keys import key_of
from bgb_assets.storage.shards import read_listing
from bgb_assets_tests import driving
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.e2e.recordings import (
    SAMPLES,
    calls_of,
    change_sample,
    finish_samples,
    open_chain,
    rename_patient,
    touch_all,
)

NOTHING = (0, 0, 0, 0)
ALL = len(list(SAMPLES.rglob("*.edf")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish_samples(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished data root in another place: its paths, times and inodes are all new."""
    return Path(shutil.copytree(finished, tmp_path / "moved", copy_function=shutil.copyfile))


@pytest.fixture
def recording(root: Path) -> Path:
    """The EDF file of one upload."""
    return next((root / "inbox" / "eeg" / "dev").rglob("*.edf"))


def key(root: Path, recording: Path) -> str:
    return key_of(recording.relative_to(root / "inbox" / "eeg").with_suffix("").as_posix())


def configure(root: Path, table: str) -> None:
    (root / "config.toml").write_text(f"{SETTLE_AT_ONCE}{table}\n")


def test_nothing_changed_is_nothing_done_and_opens_no_recording(finished: Path) -> None:
    chain = open_chain(finished)
    with driving.opened_below(finished) as opened:
        assert driving.calls_through_tokens(chain) == {}
    assert [name for name in opened if name.endswith((".edf", ".csv_bi", ".csv", ".tsv", ".i16", ".parquet"))] == []


def test_moved_root_and_touched_files_rebuild_nothing(finished: Path, root: Path) -> None:
    assert calls_of(root) == NOTHING
    touch_all(root / "inbox")
    assert calls_of(root) == NOTHING
    assert driving.data_versions(root, "eeg") == driving.data_versions(finished, "eeg")


def test_edited_labels_reach_notes_and_manifest(root: Path, recording: Path) -> None:
    labels = recording.with_suffix(".csv_bi")
    head, _, rows = labels.read_text().partition("confidence\n")
    onset = next(row.split(",")[1] for row in rows.splitlines() if "seiz" in row)
    labels.write_text(f"{head}confidence\n{rows.replace(onset, f'{float(onset) + 0.5:.4f}')}")
    assert calls_of(root, key(root, recording)) == (0, 0, 1, 1)
    assert [line.split()[0] for line in why_upload(open_chain(root), "notes", key(root, recording)).lines] == [
        "last",
        "labels",
    ]
    assert why_fan_in(open_chain(root), "manifest").lines[-1] == f"upload {key(root, recording)} changed"


def test_patient_in_a_header_reaches_the_cache_and_no_further(root: Path, recording: Path) -> None:
    rename_patient(recording, "X M 01-JAN-1970 Another")
    before = driving.data_versions(root, "eeg")
    assert calls_of(root, key(root, recording)) == (1, 0, 0, 0)
    assert why_upload(open_chain(root), "features", key(root, recording)).lines == ("as first made",)
    after = driving.data_versions(root, "eeg")
    assert {place.split("/")[0] for place in after.keys() - before.keys()} == {"raw", "cache"}


@pytest.mark.parametrize(
    ("table", "calls"),
    [
        ("[eeg.features]\nnotch_hz = 50.0", (0, ALL, 0, 1)),
        ("[eeg.manifest]\nwindow_s = 30.0", (0, 0, 0, 1)),
        ("[eeg.manifest]\nstride_s = 5.0", (0, 0, 0, 1)),
        ("[eeg.model.sdpa-tiny.draw]\nfull_ratio = 0.5\nbackground_ratio = 1.0\nseed = 1", NOTHING),
        ("[eeg.model.sdpa-tiny]\nseed = 1", NOTHING),
        ("[run]\nworkers = 1", NOTHING),
    ],
)
def test_param_reaches_the_stages_that_read_it(root: Path, recording: Path, table: str, calls: tuple[int, ...]) -> None:
    every = open_chain(root).uploads.keys()
    configure(root, table)
    assert calls_of(root, *every) == calls
    configure(root, "")
    assert calls_of(root, *every) == NOTHING, "the entries of before are still there"


def test_entries_that_tokens_map_outlive_a_param_that_changed_no_sample(root: Path) -> None:
    configure(root, "[eeg.features]\nmax_interpolated = 5")
    every = open_chain(root).uploads.keys()
    assert calls_of(root, *every) == (0, ALL, 0, 0)
    chain = open_chain(root)
    tokens = chain.store.directory(driving.fan_in(chain, ["tokens"])["tokens"].record)
    mapped = [root / source["location"] / source["file"] for source in read_listing(tokens)["sources"]]
    own = {chain.store.directory(chain.records_of(record)["features"]) for record in chain.uploads.all()}
    assert len(mapped) == ALL
    assert not own & {path.parent for path in mapped}
    assert prune(chain.store, chain.catalog, ["eeg"], 0).evicted, "all that can go went"
    assert all(path.is_file() for path in mapped)


def test_new_recording_is_the_only_one_made(root: Path, recording: Path) -> None:
    added = recording.with_name(recording.name.replace("run-00", "run-01"))
    shutil.copyfile(recording, added)
    change_sample(added)
    shutil.copyfile(recording.with_suffix(".csv_bi"), added.with_suffix(".csv_bi"))
    assert calls_of(root, key(root, added)) == (1, 1, 1, 1)


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_forced_rebuild_is_of_the_manifest_alone(root: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BGB_FORCE_MANIFEST_REBUILD", value)
    before = driving.data_versions(root, "eeg")
    chain = open_chain(root)
    assert calls_of(root) == (0, 0, 0, 1)
    outcome = driving.fan_in(chain, ["manifest"])["manifest"]
    assert outcome.called
    assert f"BGB_FORCE_MANIFEST_REBUILD={value}" in str(outcome)
    assert driving.data_versions(root, "eeg") == before
    monkeypatch.delenv("BGB_FORCE_MANIFEST_REBUILD")
    assert calls_of(root) == NOTHING


@pytest.mark.parametrize("edit", [lambda text: text.replace("\n", "\r\n"), lambda text: text + "\n"])
def test_labels_written_in_another_way_reach_raw_only(root: Path, recording: Path, edit: Callable[[str], str]) -> None:
    labels = recording.with_suffix(".csv_bi")
    labels.write_bytes(edit(labels.read_text()).encode())
    assert driving.rebuilt(open_chain(root), [key(root, recording)]) == {"raw": 1}
