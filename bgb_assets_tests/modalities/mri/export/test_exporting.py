"""A trained model in three forms, each judged by the lesions it finds; a ruined one is refused."""

import json

import numpy as np
import pytest

from bgb_assets.modalities.mri.experiment.scoring import lesion_in, rows_tested, rows_trained, scans_of
from bgb_assets.modalities.mri.export.exporting import EXPORT_FILE, FILES, FORMS, export_run
from bgb_assets.modalities.mri.export.judging import DICE_LOSS_LIMIT, judge
from bgb_assets.modalities.mri.measures.overlap import overlap
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.digests import sha256_file
from bgb_assets_tests.modalities.mri.export.small_models import FOLDS, trained_on_made_scans

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return trained_on_made_scans(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A model directory, as far as its weights' bytes are asked for."""
    path = tmp_path_factory.mktemp("model")
    (path / "model.safetensors").write_bytes(b"weights")
    return path


@pytest.fixture(scope="module")
def exported(trained, directory, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "onnx"
    return out, export_run(*trained, directory, out, calibration=3)


def held_out(trained):
    store, run = trained
    return scans_of(store, rows_tested(store, run.outer_fold))


def test_every_form_says_what_it_is_worth_on_scans_that_the_model_never_saw(trained, directory, exported):
    out, told = exported
    assert told == json.loads((out / EXPORT_FILE).read_bytes())
    assert told["model"]["weights"] == sha256_file(directory / "model.safetensors")
    assert set(told["test"]["scans"]) == {f"sub-M{row:04d}_ses-1" for row, fold in enumerate(FOLDS) if fold == 0}
    assert told["test"]["torch_lesion_dice"] > 0.7, "it was trained, so that there is something to lose"
    assert told["forms"].keys() == set(FORMS)
    for form, verdict in told["forms"].items():
        assert verdict["bytes"] == (out / FILES[form]).stat().st_size
        assert verdict["dice_loss"] == pytest.approx(told["test"]["torch_lesion_dice"] - verdict["lesion_dice"])
        assert verdict["limit"] == DICE_LOSS_LIMIT[form]
        assert verdict["accepted"] is (verdict["dice_loss"] <= verdict["limit"])
    assert told["forms"]["float32"]["max_logit_difference"] <= 1e-4
    assert all(told["forms"][form]["accepted"] for form in ("float32", "float16"))
    sizes = {form: told["forms"][form]["bytes"] for form in FORMS}
    assert max(sizes, key=sizes.__getitem__) == "float32"


def test_a_file_gives_the_dice_that_it_is_said_to_have(trained, exported):
    out, told = exported
    for form in ("float32", "int8"):
        session = onnxruntime.InferenceSession(out / FILES[form], providers=["CPUExecutionProvider"])
        dice = [
            overlap(lesion_in(session.run(None, {"image": scan.image.numpy()})[0][0]), scan.truth).lesion_dice()
            for scan in held_out(trained)
        ]
        assert told["forms"][form]["lesion_dice"] == pytest.approx(np.mean(dice))


def test_int8_is_calibrated_on_scans_of_the_training_set(trained, exported):
    store, run = trained
    known = {store.index.sources[2 * row].upload for row in rows_trained(store, run.outer_fold)}
    used = exported[1]["calibration"]["scans"]
    assert len(used) == 3
    assert set(used) < known
    assert not known & set(exported[1]["test"]["scans"])


def ruined(source, path, value):
    """Write a quantised file with all weights set to one value."""
    held = onnx.load(source)
    spoiled = [one for one in held.graph.initializer if one.data_type == onnx.TensorProto.INT8]
    for one in spoiled:
        shape = list(one.dims)
        one.CopyFrom(onnx.numpy_helper.from_array(np.full(shape, value, np.int8), one.name))
    onnx.save(held, path)
    return path


@pytest.mark.parametrize("value", [0, 17, -128])
def test_a_ruined_int8_file_is_refused(trained, exported, tmp_path, value):
    path = ruined(exported[0] / FILES["int8"], tmp_path / "ruined.onnx", value)
    own, verdicts = judge(trained[1].network, {"int8": path}, held_out(trained))
    assert own - verdicts["int8"].lesion_dice > 0.1
    assert not verdicts["int8"].accepted
    assert verdicts["int8"].to_json()["accepted"] is False


def test_a_logit_that_is_no_number_is_refused_even_where_no_lesion_is_lost(trained, exported, tmp_path):
    held = onnx.load(exported[0] / FILES["float32"])
    last = next(one for one in held.graph.initializer if list(one.dims) == [2])
    bias = onnx.numpy_helper.to_array(last).copy()
    bias[0] = -np.inf
    last.CopyFrom(onnx.numpy_helper.from_array(bias, last.name))
    onnx.save(held, tmp_path / "infinite.onnx")
    scans = [*held_out(trained)]
    everywhere = [type(scan)(scan.row, scan.upload, scan.image, np.ones_like(scan.truth)) for scan in scans]
    _, verdicts = judge(trained[1].network, {"float32": tmp_path / "infinite.onnx"}, everywhere)
    assert verdicts["float32"].dice_loss <= 0, "it finds all there is"
    assert verdicts["float32"].max_logit_difference is None
    assert not verdicts["float32"].accepted


def test_what_cannot_be_run_or_judged_is_said(trained, directory, tmp_path):
    store, run = trained
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(UsageError, match=r"broken\.onnx: onnxruntime cannot run it"):
        judge(run.network, {"int8": tmp_path / "broken.onnx"}, [])
    with pytest.raises(UsageError, match="there is no scan to judge a file on"):
        judge(run.network, {}, [])
    with pytest.raises(UsageError, match=r"expected forms among float32, float16, int8.*got int4"):
        export_run(store, run, directory, tmp_path, forms=["int4"])
    everything = type(run)(run.network, {**run.params, "outer_fold": -1})
    with pytest.raises(UsageError, match="outer fold -1 tests no scan here"):
        export_run(store, everything, directory, tmp_path)
