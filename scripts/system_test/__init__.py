"""A booted Debian 12 in systemd-nspawn, with cardd installed as docs/install.md says, and the tests that run in it."""
