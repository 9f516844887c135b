"""`cardctl watch`: events in words, and as JSON Lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dbus_next.signature import Variant

from cardd.cli.commands.watch import _name, _Teller
from cardd.client import CarddClient, events
from tests.unit.client.fake import CARD, FakeDaemon


def test_json_lines(daemon: FakeDaemon, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from cardd.cli.main import main; sys.exit(main())", "--json", "watch"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [one["event"] for one in told] == ["service-started", "reader-added", "card-inserted"]
        assert told[2]["card"]["path"] == daemon.card_path
        daemon.withdraw()
        assert json.loads(process.stdout.readline())["event"] == "reader-changed"
        last = json.loads(process.stdout.readline())
        assert (last["event"], last["card"]["kind"]) == ("card-removed", "cps3")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def test_a_change_is_told_only_where_people_would_see_one(daemon: FakeDaemon) -> None:
    teller = _Teller()
    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
        first = await teller.lines(events.CardInserted(card))
        assert first[0].startswith("Card inserted into")
        assert first[1].startswith("Card of Camille ÉPREUVE")
        assert await teller.lines(events.CardChanged(card)) == []
        daemon.change(daemon.card_path, CARD, State=Variant("s", "in-use"))
        (card,) = await client.cards()
        assert await teller.lines(events.CardChanged(card)) == ["Card: held by another program"]
        daemon.change(daemon.card_path, CARD, State=Variant("s", "foreign"), Kind=Variant("s", "vitale"))
        (card,) = await client.cards()
        assert await teller.lines(events.CardChanged(card)) == ["Card: Vitale, left alone by cardd"]
        daemon.change(daemon.card_path, CARD, State=Variant("s", "identified"), Kind=Variant("s", "cps3"))
        (card,) = await client.cards()
        session = await card.authenticate(pin=bytearray(b"1234"))
        ended = events.SessionEnded(session, "card-removed")
        assert await teller.lines(ended) == ["Session ended: the card was taken out"]
        assert _name(ended) == "session-ended"
