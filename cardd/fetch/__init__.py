"""cardd-fetch: brings CRLs from the authorities' servers into a folder, so that cardd itself needs no network.

Nothing trusts it: what it brings is verified by cardd. It verifies too, so that a bad download replaces no good one.
"""
