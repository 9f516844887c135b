"""A report of the card that is in a reader, asked through PC/SC without the daemon."""
