"""Which files are one scan: names, acquisitions, and which mask belongs to which image."""
