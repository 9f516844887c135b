"""Card operating system of an IAS ECC card: ISO 7816-4 files and commands, -8 security operations, SDOs."""
