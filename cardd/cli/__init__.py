"""cardctl: cardd's command line."""
