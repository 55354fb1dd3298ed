"""EEG recordings in, seizure detectors out. This page is the table of contents."""
