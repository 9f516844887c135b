"""Keys that a process of its own works with: whatever happens to it, the daemon lives on.

The process serves one connection to one token. Its end, which the kernel guarantees, is the end of the token's login
state: no logout has to work for that.
"""
