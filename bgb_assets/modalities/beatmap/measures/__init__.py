"""How good a map is: swings and parity, timing, variety, playability."""
