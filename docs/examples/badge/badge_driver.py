"""A driver of cardd for the badge of an association: one RSA key, behind a PIN of 4 to 8 digits."""

from cardd_drivers import contract as c
from cardd_drivers.apdu import Command
from cardd_drivers.rsa_padding import sha256_digest_info
from cardd_drivers.simple import SimpleCard
from cardd_drivers.tlv import read_header

ATR = bytes.fromhex("3B86800162616467650163")
APPLICATION = bytes.fromhex("F06261646765")
KEY, ALGORITHM = c.KeyName.AUTHENTICATION, c.SignatureAlgorithm.RS256
CERTIFICATE_MAX = 4096


class BadgeCard(SimpleCard):
    def identify(self) -> c.Identity:
        self.ask(Command(0x00, 0xA4, 0x04, 0x0C, APPLICATION))
        serial = self.ask(Command(0x00, 0xB0, 0x81, 0x00, le=8))  # the file with the short identifier 1
        if len(serial) != 8 or not serial.isdigit():
            raise c.MalformedCardData("a serial number that is not of 8 digits")
        return c.Identity(serial.decode(), c.CardKind.OTHER, "Badge", c.Assurance.DEVICE)

    def capabilities(self) -> c.Capabilities:
        return c.Capabilities({KEY: frozenset({ALGORITHM})}, frozenset(), self.pin_rules, None)

    def read_certificate(self, key: c.KeyName) -> bytes:
        if key is not KEY:
            raise c.ObjectNotFound(f"a badge has no {key} certificate")
        found = more = self.ask(Command(0x00, 0xB0, 0x82, 0x00, le=256))
        _, length, start = read_header(found, 0)
        while more and len(found) < start + length <= CERTIFICATE_MAX:
            found += (more := self.ask(Command(0x00, 0xB0, *divmod(len(found), 256), le=256)))
        if len(found) < start + length:
            raise c.MalformedCardData("a certificate without its end", len(found))
        return found[: start + length]

    def sign(self, key: c.KeyName, algorithm: c.SignatureAlgorithm, digest: bytes) -> bytes:
        if (key, algorithm) != (KEY, ALGORITHM):
            raise c.AlgorithmNotSupported(f"a badge does not sign {algorithm} with its {key} key")
        if len(digest) != 32:
            raise ValueError(f"a SHA-256 digest has 32 bytes, not {len(digest)}")
        return self.ask(Command(0x00, 0x2A, 0x9E, 0x9A, sha256_digest_info(digest), le=256))


class BadgeDriver:
    name = "badge"

    def matches(self, atr: bytes) -> c.Match:
        return c.Match.CERTAIN if atr == ATR else c.Match.NO

    def probe(self, channel: c.Channel) -> bool:
        try:
            BadgeCard(channel).identify()
        except (c.UnexpectedResponse, c.MalformedCardData, c.SecurityStatusNotSatisfied):
            return False
        return True

    def open(self, channel: c.Channel, memory: c.Memory) -> c.Card:
        return BadgeCard(channel)


driver = BadgeDriver()
