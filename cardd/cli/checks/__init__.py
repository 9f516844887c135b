"""What `cardctl doctor` looks at: each check is a function that returns findings."""
