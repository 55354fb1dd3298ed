"""Where scans can be fetched from: `bids:`, `parquet:`, `hf:`, and `listing:` for planning only."""
