"""What a mask says about a lesion: how large, in how many pieces, where, in which bin."""
