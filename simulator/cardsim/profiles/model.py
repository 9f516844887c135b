"""What a profile says."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from cardsim.behaviour import Behaviour
from cardsim.ias_ecc.access_rules import Interface
from cardsim.layouts.numbers import Numbers


class CardType(enum.IntEnum):
    """Card types (nomenclature TRE_G02), the value of extension 1.2.250.1.71.1.2.2."""

    CPS = 0
    """Regulated professional."""
    CPF = 1
    """Professional in training."""
    CPE = 2
    """Staff of an establishment."""
    CPA = 3
    """Authorised staff."""


class CertificateVariant(enum.Enum):
    """What is right or wrong with a card's certificates."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    """Stands on its issuer's CRL from its first day, its key compromised."""
    STRANGE_ISSUER = "strange-issuer"
    """Issued by an authority of another, strange hierarchy."""
    IMPOSTOR_ISSUER = "impostor-issuer"
    """Bears the right issuer's name and key identifier, signed by a strange key."""
    SWAPPED_KEY_USAGE = "swapped-key-usage"
    """The authentication certificate has the signature's usages, and the other way round."""
    MALFORMED = "malformed"
    """DER whose first inner length reaches past the end."""
    RSA_1024 = "rsa-1024"
    MISSING_EXTENSIONS = "missing-extensions"
    """None of the private extensions that tell card type, card number and profession."""
    MISSING_KEY_USAGE = "missing-key-usage"
    T61_NAMES = "t61-names"
    """The subject's strings are T61String in Latin-1, as the older PKI had them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the card: what the subject and the private extensions of the certificates say.

    Args:
        card_type: CPS, CPF, CPE or CPA.
        identifier: national identifier, the CN (PS_IdNat: type digit and number; with a slash for a CPE).
        title: profession label.
        surname, given_name: names; both None on a card that is not nominative.
        profession: TRE_G15 code, or None.
        future_profession: TRE_G16 code of a professional in training, or None.
        speciality: code for CPS_INFO_PS, as ``SM26``, or None.
        structure_name, structure_identifier, region: O, OU and ST of a CPE's subject, or None.
        pseudonym: of a CPE's subject, or None.
    """

    card_type: CardType
    identifier: str
    title: str
    surname: str | None = None
    given_name: str | None = None
    profession: int | None = None
    future_profession: int | None = None
    speciality: str | None = None
    structure_name: str | None = None
    structure_identifier: str | None = None
    region: str | None = None
    pseudonym: str | None = None

    @property
    def display_name(self) -> str:
        """Given name and surname, or the pseudonym, or the identifier."""
        if self.surname and self.given_name:
            return f"{self.given_name} {self.surname}"
        return self.pseudonym or self.identifier


@dataclass(frozen=True, slots=True)
class Activity:
    """A work situation (CPS_ACTIVITY_nn_PS).

    Args:
        number: 1 to 16.
        name: name of the structure.
        structure: Struct_IdNat.
        sector: sector code, as ``SA07``.
    """

    number: int
    name: str
    structure: str
    sector: str


@dataclass(frozen=True, slots=True)
class CardSettings:
    """The card itself.

    Args:
        number: the 10-digit printed card number.
        serial: the 8-digit card serial of EF.SN.
        pin: 4 digits.
        puk: 8 digits.
        pin_tries_left: 0 to 3; 0 is a blocked card.
        puk_tries_left: 0 to 10.
        test: its certificates say that it is a card for tests.
        renewal: how often the card was renewed under its serial: each time, keys and certificates are new ones.
        interface: by which of its interfaces the card is met.
        layout: name of the layout; ``cps3`` is the contact CPS3 as real cards publish it, ``cps3-easy`` another one.
    """

    number: str
    serial: str
    pin: str = field(repr=False)
    puk: str = field(repr=False)
    pin_tries_left: int = 3
    puk_tries_left: int = 10
    layout: str = "cps3"
    renewal: int = 0
    test: bool = True
    interface: Interface = Interface.CONTACT


@dataclass(frozen=True, slots=True)
class Profile:
    """One simulated card.

    Args:
        name: name of the profile: the file's name without ``.toml``.
        description: one line for ``cardsim profiles``.
        holder, card, activities: what is on the card.
        certificates: what is right or wrong with its certificates.
        certificate_size: bytes of each certificate's DER, or None for what it has by itself.
        certificate_file_size: bytes of each certificate's EF, filled with zeros behind the certificate; None for just
            the certificate.
        behaviour: switches; None is what the layout has as its own.
        numbers: of files, keys and PINs; None is what the layout has as its own.
        timing: the card takes the time of a real one (``cardsim.timing``).
    """

    name: str
    description: str
    holder: Holder
    card: CardSettings
    activities: tuple[Activity, ...] = ()
    certificates: CertificateVariant = CertificateVariant.VALID
    behaviour: Behaviour | None = None
    numbers: Numbers | None = None
    timing: bool = False
    certificate_size: int | None = None
    certificate_file_size: int | None = None
