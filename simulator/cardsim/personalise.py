"""Makes a card of a profile."""

from __future__ import annotations

import os

from cardsim.card import CardProtocol
from cardsim.data_objects import billing_situation, data_objects, older_activities
from cardsim.ias_ecc.access_rules import Interface
from cardsim.ias_ecc.cps3 import with_older_side
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import build
from cardsim.layouts.catalogue import LAYOUTS
from cardsim.layouts.content import CardContent, KeyPair
from cardsim.pki.store import Credentials, PkiStore
from cardsim.profiles.model import Profile
from cardsim.rsa import RandomBytes, RsaKey


def personalise(profile: Profile, store: PkiStore, *, random_bytes: RandomBytes = os.urandom) -> IasEccCard:
    """Make the card of a profile, with keys and certificates from the store.

    Args:
        profile: who holds the card, and how it behaves.
        store: where keys and certificates are kept; made there on first use.
        random_bytes: the card's random number generator.

    The profile says by which interface the card is met. Nothing that one interface can change shows on the other: what
    is free to read without contact is written at neither, and no PIN is known there.

    Returns:
        A card without power. Two calls give two cards with the same keys and each its own PIN state.

    Raises:
        PkiStoreError: the store cannot be used.
        ValueError: its layout has no contactless interface, and the profile says that it is met by that.
        CertificateSizeError: the profile wants a certificate smaller than it can be.
    """
    credentials = store.card(profile)
    card, layout = profile.card, LAYOUTS[profile.card.layout]
    numbers = profile.numbers or layout.numbers
    content = CardContent(
        serial=card.serial,
        label=f"{layout.label}-{card.number}",
        pin=card.pin,
        puk=card.puk,
        pin_tries_left=card.pin_tries_left,
        puk_tries_left=card.puk_tries_left,
        signature=_key_pair(credentials.signature, profile),
        authentication=_key_pair(credentials.authentication, profile),
        data_objects=data_objects(profile, layout.label, numbers),
        billing_situation=billing_situation(profile),
        older_activities=older_activities(profile),
        technical=None if layout.contactless is None else _key_pair(store.technical(profile), profile),
        authority_certificate=store.intermediate_certificate().read_bytes() if layout.authority_label else b"",
    )
    tree = build.master_file(layout, content, numbers)
    behaviour = profile.behaviour or layout.behaviour
    if card.interface is Interface.CONTACTLESS:
        if layout.contactless is None:
            raise ValueError(f"a card of layout {layout.name} has no contactless interface")
        return IasEccCard(
            tree,
            atr=layout.contactless.atr,
            protocol=CardProtocol.T1,  # a reader shows the blocks of ISO 14443-4 as T=1
            generation=layout.generation,
            interface=Interface.CONTACTLESS,
            behaviour=behaviour,
            random_bytes=random_bytes,
        )
    return IasEccCard(
        tree,
        atr=layout.atr,
        protocol=layout.protocol,
        generation=with_older_side(build.older_side(content)) if layout.older_side else layout.generation,
        behaviour=behaviour,
        random_bytes=random_bytes,
    )


def _key_pair(credentials: Credentials, profile: Profile) -> KeyPair:
    file = credentials.certificate.ljust(profile.certificate_file_size or 0, b"\x00")
    return KeyPair(RsaKey(credentials.key), file)
