"""Windows are arithmetic: which there are, which are drawn, and how many hold a seizure."""
