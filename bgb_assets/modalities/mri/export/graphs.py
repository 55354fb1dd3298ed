"""ONNX files of a network: float32 by torch's exporter, float16 and int8 by onnxruntime's tools.

Input `image` (1, 1, x, y, z) float32, output `logits` (1, 2, x, y, z) float32, spatial axes free, in every form. Batch
norm is folded into the convolutions. What the exporter notes about where the code lies is left out, so that a network
has one file.

Belongs here: making files. Does not belong here: whether they are any good (`judging`), which scans calibrate
(`exporting`).
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.runtime.errors import UsageError

OPSET = 18
INPUT, OUTPUT = "image", "logits"
AXES = ("x", "y", "z")
_EXAMPLE = (1, 1, 24, 20, 22)
"""Axes of three lengths: the exporter takes equal ones for one axis."""


def require_onnx() -> None:
    """Check that the packages are there.

    Raises:
        UsageError: One is not installed.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ImportError as error:
        raise UsageError(
            f'export needs {error.name}, which is not installed: pip install "bgb_assets[onnx]"'
        ) from error
    del onnx, onnxruntime, onnxscript


def write_float32(network: MeshNet, path: Path) -> None:
    """Write a network in eval mode, on the CPU."""
    import onnx

    free = {place: torch.export.Dim(name) for place, name in enumerate(AXES, 2)}
    with _hushed():
        program: Any = torch.onnx.export(
            network,
            (torch.zeros(_EXAMPLE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(free,),
            external_data=False,
            verbose=False,
        )
    onnx.save(_without_notes(program.model_proto), path)


def write_float16(source: Path, path: Path) -> None:
    """Write a float32 file with weights and arithmetic in float16; input and output stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with _hushed():
        onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), path)


def write_int8(source: Path, path: Path, images: Iterator[NDArray[np.float32]]) -> None:
    """Write a float32 file quantised to int8 (static, QDQ, weights by channel).

    Smaller on disk, not in memory: onnxruntime unfolds an int8 convolution whole, and took ten float32 feature tensors
    where the float32 file takes little more than two (meshnet-26, 80 voxels along each axis, onnxruntime 1.31).

    Args:
        source: The float32 file.
        path: The file to write.
        images: (1, 1, x, y, z) each; the range of every layer is the least and most that it gives on them.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with _hushed():
        quantize_static(
            source,
            path,
            _reader(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )


def _reader(images: Iterator[NDArray[np.float32]]) -> Any:
    """Return the images in the form that the quantiser asks for."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc, no-any-unimported, unused-ignore]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(images, None)
            return None if image is None else {INPUT: image}

    return Reader()


def _without_notes(model: Any) -> Any:
    """Leave out names of source files and of the exporter's own steps."""
    graph = model.graph
    for held in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        held.ClearField("metadata_props")
        held.ClearField("doc_string")
    return model


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the exporters' advice to their developers from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
