"""What scripts/demo tells."""
