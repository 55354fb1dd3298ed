"""The sound of a song: its identity, its spectrogram on the beat grid, its tempo, and whether two are one recording."""
