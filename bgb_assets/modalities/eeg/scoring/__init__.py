"""How good a detector is: every figure with its scorer's name."""
