"""Hypothesis without deadlines: how long an example takes says more of the machine's other work than of ours."""

from hypothesis import settings


def untimed() -> None:
    """Set no deadline for any example of this process."""
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
