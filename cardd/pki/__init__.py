"""Whether a certificate may be believed: pinned roots, chains, and the proof of a card's key."""
