"""What a token's process says of its token before any PIN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cardd_drivers.contract import DecipherAlgorithm, MalformedCardData, SignatureAlgorithm

CERTIFICATES_MAX: Final = 64
PIN_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Description:
    """A token.

    Args:
        serial: as the token gives it, printable, possibly empty.
        label: likewise.
        hardware: by its own word.
        pin_minimum, pin_maximum: characters of its PIN; both 0 where no PIN is needed.
        signature: what its RSA keys sign with.
        decipher: what its RSA keys decipher.
        certificates: how many there are.
    """

    serial: str
    label: str
    hardware: bool
    pin_minimum: int
    pin_maximum: int
    signature: frozenset[SignatureAlgorithm]
    decipher: frozenset[DecipherAlgorithm]
    certificates: int

    def fields(self) -> list[bytes]:
        """As it is sent."""
        numbers = (int(self.hardware), self.pin_minimum, self.pin_maximum, self.certificates)
        return [
            self.serial.encode(),
            self.label.encode(),
            *(b"%d" % number for number in numbers),
            " ".join(sorted(self.signature)).encode(),
            " ".join(sorted(self.decipher)).encode(),
        ]

    @classmethod
    def parse(cls, fields: Sequence[memoryview]) -> Description:
        """Read one.

        Raises:
            MalformedCardData: it is none.
        """
        try:
            texts = [bytes(one).decode() for one in fields]
            serial, label, hardware, minimum, maximum, certificates, signature, decipher = texts
            found = cls(
                serial=serial,
                label=label,
                hardware=hardware == "1",
                pin_minimum=int(minimum),
                pin_maximum=int(maximum),
                signature=frozenset(map(SignatureAlgorithm, signature.split())),
                decipher=frozenset(map(DecipherAlgorithm, decipher.split())),
                certificates=int(certificates),
            )
        except ValueError:
            raise MalformedCardData("the token's description cannot be read") from None
        if not (serial.isprintable() and label.isprintable()):
            raise MalformedCardData("the token's serial number or label is not printable")
        if not 0 <= found.pin_minimum <= found.pin_maximum <= PIN_MAX:
            raise MalformedCardData("the token's PIN has impossible lengths")
        if not 0 <= found.certificates <= CERTIFICATES_MAX:
            raise MalformedCardData(f"the token has {certificates} certificates")
        return found
