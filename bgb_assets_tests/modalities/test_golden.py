"""A stage whose output changes raises its code version, or old entries would pass as new ones."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities import registry
from bgb_assets.modalities.contract import Modality
from bgb_assets_tests.modalities import golden
from bgb_assets_tests.toy import with_stage

MODALITIES = registry.modalities()


@pytest.fixture(scope="module", params=MODALITIES, ids=lambda modality: modality.name)
def modality(request: pytest.FixtureRequest) -> Modality:
    return request.param


@pytest.fixture(scope="module")
def now(modality: Modality, tmp_path_factory: pytest.TempPathFactory) -> dict[str, golden.Described]:
    return golden.describe(modality, tmp_path_factory.mktemp("golden"))


@pytest.fixture
def held(modality: Modality) -> dict[str, golden.Described]:
    return json.loads(golden.PATH.read_text())[modality.name]


def test_outputs_are_the_golden_ones_or_the_version_was_raised(modality, held, now) -> None:
    found = golden.problems(modality, held, now)
    assert found == [], "\n".join(found)


def test_every_stage_has_files_to_compare(modality, now) -> None:
    for stage in golden.stages_of(modality):
        files = [name for entry in now[stage.name]["output"].values() for name in entry if "." in name]
        assert files, stage.name


def test_description_is_the_same_in_another_place(modality, now, tmp_path: Path) -> None:
    assert golden.describe(modality, tmp_path) == now


def test_changed_output_names_the_stage_that_began_it(modality, now) -> None:
    changed = copy.deepcopy(now)
    for stage in ("notes", "manifest"):
        next(iter(changed[stage]["output"].values()))["absent"] = "another"
    found = golden.problems(modality, now, changed)
    assert len(found) == 1, "the manifest follows from the notes"
    assert f"raise code_version of {modality.name}/notes, then run `{golden.COMMAND}`" in found[0]


def test_raised_version_asks_for_new_golden_outputs_only(modality, now) -> None:
    raised = with_stage(modality, "cache", code_version="raised")
    changed = {**copy.deepcopy(now), "cache": {**now["cache"], "output": {}}}
    assert golden.problems(raised, now, changed) == [
        f"{modality.name}/cache: code_version is 'raised' now; run `{golden.COMMAND}`"
    ]


def test_other_params_are_another_identity_and_ask_for_no_version(modality, now) -> None:
    held = copy.deepcopy(now)
    held["manifest"]["params"] = {"another": 1}
    held["manifest"]["output"] = {}
    assert golden.problems(modality, held, now) == [
        f"{modality.name}/manifest: its params are others now; run `{golden.COMMAND}`"
    ]


def test_last_digits_may_differ_and_nothing_else() -> None:
    assert golden.differences({"a": [1.0, 2]}, {"a": [1.0004, 2]}) == []
    assert golden.differences({"a": [1.0, 2]}, {"a": [1.01, 2]}) == ["output.a.0 1.0 -> 1.01"]
    assert golden.differences({"a": [1.0, 2]}, {"a": [1.0, 3]}) == ["output.a.1 2 -> 3"]
    assert golden.differences({"a": [1]}, {"a": [1, 2]})
    assert golden.differences({"a": 1}, {"a": 1.0})
    assert golden.differences({"a": 1}, {})


@pytest.mark.parametrize(("off", "same"), [(0, True), (2, True), (-2, True), (8, False)])
def test_of_rounded_samples_two_units_may_differ(tmp_path: Path, off: int, same: bool) -> None:
    samples = np.arange(-300, 301, 3, dtype="<i2")
    (tmp_path / "a").write_bytes(samples.tobytes())
    (tmp_path / "b").write_bytes((samples + off).astype("<i2").tobytes())
    first, second = (golden.rounded_samples(tmp_path / name) for name in "ab")
    assert (golden.differences(first, second) == []) is same
