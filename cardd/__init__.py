"""cardd: authenticated sessions on a health professional's card, exactly while the card is in the reader."""

__version__ = "0.1.0"
