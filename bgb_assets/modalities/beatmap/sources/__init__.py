"""Where songs are fetched from."""
