"""Pictures of scans, their lesions, the cohort, and what a model makes of them."""
