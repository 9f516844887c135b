"""Layouts: where a card generation keeps what, as its real cards publish it."""
