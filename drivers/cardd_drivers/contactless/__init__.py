"""Drives the CPS3 without contact."""

from cardd_drivers.contactless.driver import driver

__all__ = ["driver"]
