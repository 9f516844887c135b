"""How a simulated card reaches the programs: the real pcscd (vpcd), or a PC/SC stack inside the process."""
