"""All scans together: which of them train, in which folds, and what must hold between them."""
