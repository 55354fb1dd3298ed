from bgb_assets.modalities.beatmap.learning.variants import LARGE, MEDIUM, SMALL, VARIANTS


def test_the_shipped_variants_are_as_published():
    held = {
        name: (
            *(params.shape.width, params.shape.heads, params.shape.hidden, params.shape.encoder_blocks),
            *(params.shape.decoder_blocks, params.shape.kernel, params.training.batch),
            *(params.training.learning_rate, params.training.warmup_steps, params.training.micro_batch),
        )
        for name, params in VARIANTS.items()
    }
    assert held["small"] == (128, 4, 512, 2, 2, 0, 32, 1e-3, 500, 0)
    assert held["medium"] == (256, 8, 1024, 4, 4, 15, 32, 5e-4, 1000, 0)
    assert held["large"] == (512, 8, 2048, 8, 8, 15, 64, 2e-4, 2000, 32)
    for params in (SMALL, MEDIUM, LARGE):
        assert (params.dropout, params.label_smoothing, params.window.bars, params.window.hop_bars) == (
            0.1,
            0.05,
            16,
            10,
        )
        assert (params.training.weight_decay, params.training.clip, params.training.final_fraction) == (0.01, 1.0, 0.1)


def test_variants_are_named_after_themselves():
    assert all(name == params.variant for name, params in VARIANTS.items())
