"""Native driver for the contact CPS3, an IAS ECC card with PKCS#15 directories."""

from cardd_drivers.ias_ecc.driver import driver

__all__ = ["driver"]
