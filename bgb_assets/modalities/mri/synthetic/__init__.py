"""Made-up heads with lesions: what they are made of, and the files they are written to."""
