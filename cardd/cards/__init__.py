"""A card in a reader: the channel to it, its worker thread, the choice of its driver, what is remembered of it."""
