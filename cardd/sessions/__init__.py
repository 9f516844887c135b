"""What a verified PIN opens, what it serves, and how it ends: exactly when the card leaves."""
