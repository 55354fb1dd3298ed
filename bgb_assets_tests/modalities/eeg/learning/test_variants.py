"""The shipped numbers."""

import dataclasses
import subprocess
import sys

from bgb_assets.modalities.eeg.learning.variants import VARIANTS


def test_the_variants_are_the_five():
    assert list(VARIANTS) == ["ssm-base", "ssm-tiny", "sdpa-base", "sdpa-tiny", "seizure_transformer"]


def test_no_field_has_a_default():
    params = VARIANTS["ssm-tiny"]
    for part in (params, params.shape, params.shape.encoder, params.shape.state_space, params.loss, params.draw):
        for field in dataclasses.fields(part):
            assert field.default is dataclasses.MISSING, field.name
            assert field.default_factory is dataclasses.MISSING, field.name


def test_rates_decays_and_batches_are_those_of_the_design():
    for name, params in VARIANTS.items():
        training, tiny = params.training, name.endswith("tiny")
        assert (training.learning_rate, training.weight_decay, training.batch) == (
            (3e-3, 0.01, 8) if tiny else (3e-4, 0.05, 64)
        )
        assert (training.betas, training.clip, training.patience) == ((0.9, 0.999), 1.0, 8)
        assert training.warmup_steps == round(0.03 * training.steps)
        assert training.steps <= 100 * training.validate_every_steps


def test_describing_the_variants_imports_no_torch():
    code = (
        "import sys, bgb_assets.modalities.eeg.learning.variants; print({'torch', 'scipy', 'pyarrow'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
