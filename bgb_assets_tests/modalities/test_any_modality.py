"""What every modality must hold, tried on its own made-up uploads.

Belongs here: promises of the contract, for all modalities at once. Does not belong here: what one modality knows.
"""

import dataclasses
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from bgb_assets.chain import Chain
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.engine.walk import Walker, WalkTask, declared_files
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities import registry
from bgb_assets.modalities.contract import (
    PER_UPLOAD_STAGES,
    UPLOAD,
    Found,
    Modality,
    Stage,
    iterate_reads,
    matches,
)
from bgb_assets.runtime.errors import BadInput
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.settings import load_settings, overlay
from bgb_assets.storage.digests import as_plain, canonical_json, sha256_file
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import data_versions, fan_in, ingest, outputs, walk
from bgb_assets_tests.toy import with_stage

UPLOADS = 3
SEED = 11
STEPS = 6


@pytest.fixture(scope="module", params=registry.modalities(), ids=lambda modality: modality.name)
def modality(request: pytest.FixtureRequest) -> Modality:
    return request.param


@pytest.fixture(scope="module")
def made(modality: Modality, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modality's own made-up uploads."""
    out = tmp_path_factory.mktemp("made_up")
    resolve(modality.synth)(out, UPLOADS, SEED)
    return out


@pytest.fixture(scope="module")
def folders(modality: Modality, made: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A directory of each made-up upload, as a stage is handed it."""
    space = tmp_path_factory.mktemp("folders")
    return [folder_of(one, made, space / str(number)) for number, one in enumerate(found_in(modality, made))]


def found_in(modality: Modality, folder: Path) -> list[Found]:
    return list(resolve(modality.discover)(folder))


def folder_of(found: Found, root: Path, out: Path) -> Path:
    for name in found.files:
        target = out / name.removeprefix(f"{found.path}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    return out


@pytest.fixture(scope="module")
def root(modality: Modality, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the uploads brought as far as tokens."""
    return finished(modality, made, tmp_path_factory.mktemp("root"))


def finished(modality: Modality, made: Path, root: Path) -> Path:
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    shutil.copytree(made, root / "inbox" / modality.name)
    chain = open_chain(modality, root)
    ingest(chain)
    found = walk(chain)
    assert len(found) == UPLOADS
    assert [outcome.rejection for outcome in found.values()] == [None] * UPLOADS
    fan_in(chain, ("manifest", "tokens"))
    return root


def open_chain(modality: Modality, root: Path) -> Chain:
    return Chain(modality, load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())


def files_below(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def test_made_up_uploads_are_stable_to_the_byte(modality: Modality, made: Path, tmp_path: Path) -> None:
    resolve(modality.synth)(tmp_path / "again", UPLOADS, SEED)
    resolve(modality.synth)(tmp_path / "other", UPLOADS, SEED + 1)
    assert files_below(tmp_path / "again") == files_below(made)
    assert files_below(tmp_path / "other") != files_below(made)


def test_uploads_are_found_in_sorted_order_each_once(modality: Modality, made: Path) -> None:
    found = found_in(modality, made)
    paths = [one.path for one in found]
    assert paths == sorted(set(paths))
    assert len(paths) == UPLOADS
    held = sorted(name for one in found for name in one.files)
    assert held == sorted(files_below(made)), "every file belongs to one upload"
    assert all(tuple(sorted(one.files)) == one.files for one in found)
    assert found_in(modality, made) == found


def test_fingerprint_is_of_the_content_and_declared(modality: Modality, folders: list[Path], tmp_path: Path) -> None:
    fingerprint = resolve(modality.fingerprint)
    seen = set()
    for folder in folders:
        copy = Path(shutil.copytree(folder, tmp_path / f"as {folder.name}", copy_function=shutil.copyfile))
        facets = dict(fingerprint(folder))
        assert facets == dict(fingerprint(copy)) == dict(fingerprint(folder))
        assert facets
        assert [name for name in facets if not matches(name, modality.upload_facets)] == []
        assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in facets.values())
        seen.add(json.dumps(facets, sort_keys=True))
    assert len(seen) == UPLOADS


def test_changed_byte_of_any_file_changes_the_fingerprint_or_is_refused(
    modality: Modality, folders: list[Path], tmp_path: Path
) -> None:
    fingerprint = resolve(modality.fingerprint)
    source = folders[0]
    before = dict(fingerprint(source))
    for name in files_below(source):
        copy = Path(shutil.copytree(source, tmp_path / name.replace("/", "_"), copy_function=shutil.copyfile))
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
        with suppress(BadInput):
            assert dict(fingerprint(copy)) != before, name


def test_unrecognisable_upload_is_refused_with_a_remedy(modality: Modality, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file.bin").write_bytes(b"\x00\x01\x02")
    for name in ("empty", "strange"):
        with pytest.raises(BadInput) as caught:
            resolve(modality.fingerprint)(tmp_path / name)
        assert caught.value.reason
        assert caught.value.remedy
        assert str(tmp_path) not in caught.value.reason


def test_cost_is_positive_and_grows_with_the_upload(modality: Modality, folders: list[Path], tmp_path: Path) -> None:
    cost_bytes = resolve(modality.cost_bytes)
    for folder in folders:
        held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert cost_bytes(folder) >= held > 0
        copy = Path(shutil.copytree(folder, tmp_path / folder.name))
        largest = max((path for path in copy.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes() * 8)
        assert cost_bytes(copy) > cost_bytes(folder)


def test_params_are_canonical_json_and_come_back_through_the_configuration(modality: Modality) -> None:
    held = {stage.name: stage.params for stage in modality.stages if stage.params is not None}
    for name, params in {**held, **modality.variants}.items():
        text = canonical_json(params)
        value = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
        assert set(value) == {field.name for field in dataclasses.fields(params)}, "defaults included"
        assert canonical_json(value) == text
        assert (
            overlay(params, {key: item for key, item in as_plain(params).items() if item is not None}, name) == params
        )
        assert overlay(params, {}, name) == params
        assert all(math.isfinite(number) for number in numbers_in(value))


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield float(value)


def test_same_identity_has_the_same_files_in_another_root(
    modality: Modality, made: Path, root: Path, tmp_path: Path
) -> None:
    other = finished(modality, made, tmp_path)
    assert data_versions(other, modality.name) == data_versions(root, modality.name)
    assert outputs(other, modality.name) == outputs(root, modality.name)
    assert Counter(name.split("/")[0] for name in outputs(root, modality.name)).keys() >= {"raw", "notes", "tokens"}


def test_every_declared_facet_is_published_by_some_upload(modality: Modality, root: Path) -> None:
    chain = open_chain(modality, root)
    found = walk(chain)
    made = fan_in(chain, ("manifest", "tokens"))
    for stage in modality.stages[:-1]:
        outcomes = [made[stage.name]] if stage.fan_in else [one.stages[stage.name] for one in found.values()]
        published = {name for outcome in outcomes for name in outcome.record.facets}
        unused = [pattern for pattern in stage.publishes if not any(matches(name, (pattern,)) for name in published)]
        assert unused == [], stage.name


def test_notes_have_the_declared_schemas(modality: Modality, root: Path) -> None:
    tables = resolve(modality.tables)
    chain = open_chain(modality, root)
    seen: set[str] = set()
    for outcome in walk(chain).values():
        directory = chain.store.directory(outcome.stages["notes"].record)
        for path in directory.glob("*.parquet"):
            with pq.ParquetFile(path) as file:
                assert file.schema_arrow.equals(tables[path.stem], check_metadata=False), path.stem
                assert file.metadata.num_row_groups == 1
                assert file.metadata.num_rows > 0, "an empty table writes no file"
                assert {file.metadata.row_group(0).column(0).compression} == {"ZSTD"}
            seen.add(path.stem)
    assert seen <= set(tables)
    assert seen


@contextmanager
def views_of(chain: Chain, key: str, stage: Stage) -> Iterator[tuple[Any, Any]]:
    """Give the directories that the engine hands to a stage for one upload, and the records they come from."""
    upload = chain.uploads.require(key)
    records = chain.records_of(upload)
    known = {name: records[name] for name in PER_UPLOAD_STAGES[: PER_UPLOAD_STAGES.index(stage.name)]}
    stages = chain.stages_of(upload)
    walker = Walker(WalkTask(chain.settings.data_root, chain.modality, stages, upload, frozenset(), known))
    with walker.inputs(stage) as views:
        yield views, known


def patterns_of(stage: Stage, source: str) -> tuple[str, ...]:
    return tuple(pattern for read in iterate_reads(stage, source) for pattern in read.files)


@pytest.mark.parametrize("stage_name", PER_UPLOAD_STAGES)
def test_stage_is_handed_the_declared_files_and_nothing_else(modality: Modality, root: Path, stage_name: str) -> None:
    chain = open_chain(modality, root)
    stage = modality.stage(stage_name)
    keys = chain.uploads.keys()
    assert len(keys) == UPLOADS
    for key in keys:
        with views_of(chain, key, stage) as (views, known):
            handed = {source: set(files_below(view)) for source, view in views.items()}
        assert set(handed) <= {read.source for read in stage.reads}
        for source, names in handed.items():
            patterns = patterns_of(stage, source)
            if source == UPLOAD:
                references = {name for record in known.values() for name in record.references.values()}
                upload = chain.uploads.require(key)
                own = {name.removeprefix(f"{upload.path}/") for name in upload.files}
                named = any(pattern.startswith("@") for pattern in patterns)
                assert names == (own & references if named else own)
                assert names
            else:
                declared = {name for name, _ in declared_files(chain.store, known[source], patterns)}
                assert names == declared
                assert all(matches(name, patterns) for name in names)


@pytest.mark.parametrize("stage_name", ["manifest", "tokens"])
def test_fan_in_is_handed_the_declared_files_of_each_upload(
    modality: Modality, root: Path, tmp_path: Path, stage_name: str
) -> None:
    run = FanInRun(open_chain(modality, root), stage_name)
    members = run.inputs.open(tmp_path)
    of_uploads = any(read.source in (UPLOAD, *PER_UPLOAD_STAGES) for read in run.stage.reads)
    assert [member.key for member in members] == (run.chain.uploads.keys() if of_uploads else [])
    for member in members:
        for source, view in member.entries.items():
            patterns = patterns_of(run.stage, source)
            assert all(matches(name, patterns) for name in files_below(view.directory))
            assert bool(files_below(view.directory)) == bool(patterns)


@pytest.mark.parametrize("stage_name", PER_UPLOAD_STAGES)
def test_read_that_is_not_declared_fails_or_shows(
    modality: Modality, root: Path, tmp_path: Path, stage_name: str
) -> None:
    stage = modality.stage(stage_name)
    for at, read in enumerate(stage.reads):
        if not read.files:
            continue
        copy = Path(shutil.copytree(root, tmp_path / str(at)))
        reads = (*stage.reads[:at], dataclasses.replace(read, files=()), *stage.reads[at + 1 :])
        less = with_stage(modality, stage_name, reads=reads)
        before = walk(open_chain(modality, copy), [stage_name])
        after = walk(open_chain(less, copy), [stage_name], force=True)
        assert len(after) == UPLOADS
        for key, outcome in after.items():
            same = outcome.stages[stage_name].data_version == before[key].stages[stage_name].data_version
            assert not same, f"{stage_name} gets at files of {read.source} that it does not declare"


def test_training_steps_lower_the_loss(modality: Modality, root: Path) -> None:
    spec = resolve(f"{resolve(modality.stage('model').run).__module__}:SPEC")
    params = modality.variants[modality.default_variant]
    chain = open_chain(modality, root)
    tokens = fan_in(chain, ["tokens"])["tokens"].record
    data = spec.data(ShardStore(root, chain.store.directory(tokens)), params)
    batch = data.collate(list(samples(data)))
    torch.manual_seed(0)
    model = spec.build(params).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=params.training.learning_rate)
    losses = []
    for _ in range(STEPS):
        total, weight = spec.loss(model, batch)
        assert weight > 0
        losses.append(float(total.detach() / weight))
        optimizer.zero_grad()
        (total / weight).backward()
        optimizer.step()
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 0.9 * losses[0], losses


def samples(data: Any) -> Iterable[Any]:
    """Yield a few training samples, each twice the same for the same draw."""
    rows = [int(row) for row in data.train.ids[:4]]
    assert rows, "no group of the made-up uploads is in the training split: make more of them"
    for row in rows:
        sample = data.read_train(row, Draw(0, 0, row, 0))
        again = data.read_train(row, Draw(0, 0, row, 0))
        assert {name: array.tobytes() for name, array in sample.items()} == {
            name: array.tobytes() for name, array in again.items()
        }
        yield sample
