"""Lightning glue: fit, callbacks, checkpoints, metrics. Runs without dagster, librosa and nibabel."""
