"""Map files of every version, read into one canonical form with its tempo and its identities: nothing is lost."""
