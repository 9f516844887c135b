"""One file a command. What is slow to import is imported when the command runs."""
