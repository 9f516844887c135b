"""Tokens: a strong authentication carried, for a while, to where no card can stay."""
