"""The shipped numbers."""

import dataclasses
import subprocess
import sys

from bgb_assets.modalities.mri.learning.variants import LIGHT, VARIANTS, run_of
from bgb_assets.training.params import OneCycle


def test_the_variants_differ_in_name_and_width_alone():
    assert [(name, params.shape.channels) for name, params in VARIANTS.items()] == [
        ("meshnet-5", 5),
        ("meshnet-16", 16),
        ("meshnet-26", 26),
    ]
    alike = {
        dataclasses.replace(params, variant="", shape=dataclasses.replace(params.shape, channels=0))
        for params in VARIANTS.values()
    }
    assert len(alike) == 1


def test_no_field_has_a_default():
    params = VARIANTS["meshnet-5"]
    for part in (params, params.shape, params.loss, params.training.one_cycle, LIGHT):
        for field in dataclasses.fields(part):
            assert field.default is dataclasses.MISSING, field.name


def test_training_is_that_of_the_design():
    params = VARIANTS["meshnet-26"]
    training = params.training
    assert params.shape.dilations == (1, 2, 4, 8, 16, 16, 8, 4, 2)
    assert (params.loss.class_weights, params.loss.label_smoothing) == ((0.5, 1.0), 0.01)
    assert (training.learning_rate, training.weight_decay, training.eps) == (1e-3, 3e-5, 1e-4)
    assert training.one_cycle == OneCycle(0.01, 100.0, 1e4, (0.85, 0.95))
    assert (training.epochs, training.batch, params.seed) == (50, 1, 42)
    assert (params.patches, params.augmentation, params.shuffled_labels) == (None, None, False)


def test_runs_of_an_experiment_have_seeds_42_to_51():
    runs = [run_of(VARIANTS["meshnet-5"], fold, restart) for fold in range(3) for restart in range(10)]
    assert [run.seed for run in runs[:10]] == list(range(42, 52))
    assert len(set(runs)) == 30
    assert run_of(VARIANTS["meshnet-5"], 0, 0) == VARIANTS["meshnet-5"]


def test_describing_the_variants_imports_no_torch():
    code = (
        "import sys, bgb_assets.modalities.mri.learning.variants; print({'torch', 'scipy', 'pyarrow'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
