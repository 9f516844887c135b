"""What cardd costs, measured beside a reference in the same run."""
