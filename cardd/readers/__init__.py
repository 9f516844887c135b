"""What is plugged in: PC/SC's readers and cards as events, and what udev knows of the readers."""
