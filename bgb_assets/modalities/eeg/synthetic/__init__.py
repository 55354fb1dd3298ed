"""Made-up recordings: background, distractors and seizures that evolve."""
