"""Files that other programs run: the network's own logits, at any size."""

import sys

import numpy as np
import pytest
import torch

from bgb_assets.modalities.mri.export.graphs import (
    OPSET,
    require_onnx,
    write_float16,
    write_float32,
    write_int8,
)
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.mri.export.small_models import drawn_network

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
CUBE, OTHER = (48, 48, 48), (37, 20, 53)


@pytest.fixture(scope="module")
def network():
    return drawn_network()


@pytest.fixture(scope="module")
def plain(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_float32(network, path)
    return path


def logits(path, image):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"image": image.numpy()})[0]


def difference(network, path, shape):
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return float(np.abs(logits(path, image) - network(image).numpy()).max())


@pytest.mark.parametrize("shape", [CUBE, OTHER])
def test_float32_gives_the_logits_of_torch_at_any_size(network, plain, shape):
    assert difference(network, plain, shape) <= 1e-4


def test_input_and_output_are_those_that_were_promised(plain):
    held = onnx.load(plain)
    assert [(one.domain, one.version) for one in held.opset_import] == [("", OPSET)]
    (given,), (found,) = held.graph.input, held.graph.output
    for one, name, channels in ((given, "image", 1), (found, "logits", 2)):
        assert one.name == name
        dims = one.type.tensor_type.shape.dim
        assert [dim.dim_value or dim.dim_param for dim in dims] == [1, channels, "x", "y", "z"]
        assert one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert {node.op_type for node in held.graph.node} == {"Conv", "Relu"}, "batch norm is folded"


def test_a_network_has_one_file_that_names_no_place_of_its_code(network, plain, tmp_path):
    write_float32(network, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == plain.read_bytes()
    assert b".py" not in plain.read_bytes()


def test_half_precision_keeps_the_types_of_input_and_output(network, plain, tmp_path):
    write_float16(plain, tmp_path / "half.onnx")
    assert 0 < difference(network, tmp_path / "half.onnx", OTHER) <= 0.02
    kinds = {one.data_type for one in onnx.load(tmp_path / "half.onnx").graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT16}


def test_int8_is_calibrated_on_what_it_is_given(network, plain, tmp_path):
    random = np.random.default_rng(0)
    images = [random.random((1, 1, 24, 24, 24), dtype=np.float32) for _ in range(3)]
    for name, scale in (("fitting", 1.0), ("narrow", 0.01)):
        write_int8(plain, tmp_path / f"{name}.onnx", iter([image * scale for image in images]))
    held = onnx.load(tmp_path / "fitting.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in held.graph.node}
    assert sum(one.data_type == onnx.TensorProto.INT8 for one in held.graph.initializer) >= 10, "weights"
    fitting, narrow = (difference(network, tmp_path / f"{name}.onnx", OTHER) for name in ("fitting", "narrow"))
    assert 0 < fitting < narrow


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    require_onnx()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r'export needs onnxscript.*pip install "bgb_assets\[onnx\]"'):
        require_onnx()
