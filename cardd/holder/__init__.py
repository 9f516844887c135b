"""Who holds the card: from a certificate to a professional."""
