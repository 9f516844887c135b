"""What scripts/soak runs: the model of sessions, for hours."""
