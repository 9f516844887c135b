"""A PC/SC resource manager inside the process, behaving as pcsc-lite 1.9.9 does.

``constants`` numbers, ``manager`` contexts, handles and locks, ``reader`` one reader and its card, ``connections``
connect to transact, ``exchange`` commands, ``status`` waiting for changes. ``cardsim.transports.inprocess`` puts
pyscard's names on it.
"""
