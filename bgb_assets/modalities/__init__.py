"""Knowledge: one package per kind of upload, pure, without dagster and without each other."""
