"""The older side of a CPS3, the CPS2ter: files and commands of class A0, as far as they were observed.

It shares the chip with the IAS ECC application; the PIN verified there opens its protected files.
"""
