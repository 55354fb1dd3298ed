"""A trained detector on a recording: windows stitched, events cut out, live or whole, and written to files."""
