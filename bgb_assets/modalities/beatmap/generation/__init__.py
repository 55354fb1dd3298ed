"""A trained network writes a map for a song."""
