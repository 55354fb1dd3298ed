"""What a split of subjects has to balance."""
