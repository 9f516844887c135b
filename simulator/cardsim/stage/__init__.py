"""A whole stage on one machine: a private bus, readers, and cardd as a process, with a card to insert and remove.

For demonstrations, tests, and authors of medical software. Speaks to cardd through its command line, its configuration
file and its bus name only.
"""

from cardsim.stage.bus import PrivateBus
from cardsim.stage.conversation import Conversation
from cardsim.stage.daemon import CarddProcess
from cardsim.stage.errors import StageError
from cardsim.stage.whole import Stage

__all__ = ["CarddProcess", "Conversation", "PrivateBus", "Stage", "StageError"]
