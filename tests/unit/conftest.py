"""What the unit tests share."""

from tests.support.untimed import untimed

untimed()
