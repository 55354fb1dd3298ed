"""Raw uploads in, trained models out, and nothing is ever computed twice."""
