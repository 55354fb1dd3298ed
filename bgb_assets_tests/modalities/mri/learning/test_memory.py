"""Predictions against the arithmetic they stand for, and the engine that follows from a bound."""

import pytest

from bgb_assets.modalities.mri.learning.memory import (
    GIB,
    choose_engine,
    computes_again,
    inference_bytes,
    prediction,
    training_bytes,
)
from bgb_assets.modalities.mri.learning.variants import VARIANTS
from bgb_assets.runtime.errors import UsageError

WHOLE = (256, 256, 256)
WIDE, NARROW = VARIANTS["meshnet-26"].shape, VARIANTS["meshnet-5"].shape
TENSOR = 26 * 256**3


@pytest.mark.parametrize(("by_block", "tensors"), [(False, 18), (True, 9)])
@pytest.mark.parametrize("itemsize", [2, 4])
def test_training_holds_18_feature_tensors_or_9_and_64_mib(by_block, tensors, itemsize):
    expected = tensors * TENSOR * itemsize + (64 << 20)
    assert training_bytes(WIDE, WHOLE, itemsize, by_block=by_block) == expected
    assert training_bytes(WIDE, WHOLE, itemsize, by_block=by_block, batch=2) == 2 * expected


def test_checkpointing_is_on_where_asked_or_where_the_plain_pass_does_not_fit():
    assert [computes_again(asked, 10, free) for asked in ("none", "block", "auto") for free in (9, 10)] == [
        *(False, False),
        *(True, True),
        *(True, False),
    ]


def test_the_line_names_both_and_what_is_free():
    line = prediction(WIDE, WHOLE, 2, 1, 100 * GIB, by_block=False)
    assert line == (
        "training on 1 x 256 x 256 x 256 voxels, 26 channels of 16 bits: 14.69 GiB of features, 7.38 GiB with "
        "checkpointing, 100.00 GiB free; checkpointing off"
    )


def test_streamed_holds_122_slices_and_little_more():
    slices = inference_bytes(WIDE, WHOLE, 4, ("streamed", 1)) - 3 * 4 * 256**3
    buffers = 122 * 26 * 256**2 * 4
    assert buffers == pytest.approx(0.82e9, rel=0.02)
    assert buffers < slices < 2.5 * buffers
    assert inference_bytes(WIDE, WHOLE, 4, ("tiled", 2)) < 0.5 * inference_bytes(WIDE, WHOLE, 4, ("full", 1))


@pytest.mark.parametrize("shape", [WIDE, NARROW])
def test_the_engine_is_the_quickest_that_fits(shape):
    def needs(engine):
        return inference_bytes(shape, WHOLE, 4, engine)

    assert choose_engine(shape, WHOLE, 4, needs(("full", 1))) == ("full", 1)
    assert choose_engine(shape, WHOLE, 4, needs(("full", 1)) - 1) == ("streamed", 32)
    assert choose_engine(shape, WHOLE, 4, needs(("streamed", 8))) == ("streamed", 8)
    with pytest.raises(UsageError, match=r"256 x 256 x 256 needs .* GiB with .* channels, 0\.00 GiB are allowed"):
        choose_engine(shape, WHOLE, 4, 1 << 20)
