"""What scripts/soak-kills runs: applications that use a card while pcscd or cardd is killed under them."""
