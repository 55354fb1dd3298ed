"""Rows: tables of objects, of difficulties and of songs, what is left out of training, and groups."""
