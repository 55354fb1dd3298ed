"""Maps as token sequences and back, and which tokens may follow which."""
