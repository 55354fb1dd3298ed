"""What decides whether anything is called: hits, walks, fan-ins, ingest. Modality-blind, without dagster."""
