"""Native driver for the contact CPS3 and the CPS4, IAS ECC cards with PKCS#15 directories."""

from cardd_drivers.ias_ecc.driver import driver

__all__ = ["driver"]
