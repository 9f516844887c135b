"""The holder's say: the agent at a terminal of its own tells of the journal, shows who wants to sign what, and asks."""

from __future__ import annotations

import asyncio
import hashlib
import re

from scripts.demo_story.stage import Stage
from scripts.demo_story.terminal import Terminal
from scripts.demo_story.witnesses import OpenSsl

from cardd.client import Document, Session
from cardd.errors import ConsentRefused, NotAuthorized
from cardsim.stage import Conversation

KIND = "prescription"
QUESTION = "Sign? [y/N]"


async def begin(stage: Stage, terminal: Terminal) -> Conversation:
    """Start the agent, before the PIN is typed."""
    with terminal.step("The holder's agent runs on a terminal of its own: cardctl agent"):
        agent = stage.converse("agent", "--terminal")
        await asyncio.to_thread(agent.until, "Ctrl-C.")
        terminal.check("it waits for questions", agent.process.poll() is None)
    return agent


async def told_of_the_journal(terminal: Terminal, agent: Conversation) -> None:
    """After the first authentication on this machine."""
    with terminal.step("The holder is told that each use is written down"):
        shown = await asyncio.to_thread(agent.until, "the entries that concern you.")
        _show(terminal, shown)
        terminal.check("by name, once a machine, in the agent's own words", "written down in a journal" in shown)


async def ask(stage: Stage, terminal: Terminal, session: Session, agent: Conversation, witness: OpenSsl) -> None:
    """A consent that is given, and one that is refused."""
    with terminal.step("An application wants a prescription signed, which a rule has the holder asked about"):
        document = stage.folder / "consented.txt"
        document.write_text("Ordonnance fictive : une promenade par jour.\n")
        digest = hashlib.sha256(document.read_bytes()).digest()
        access = await session.check_access("sign", "signature", document_kind=KIND, reserve=True)
        terminal.say(f"the application asks what the rules say: {access.effect}, and shows its user: job {access.job}")
        said = Document(kind=KIND, title="Ordonnance \x1b[8mfictive", job=access.job)
        signing = asyncio.create_task(session.sign("signature", "RS256", digest, document=said))
        shown = await asyncio.to_thread(agent.until, QUESTION)
        _show(terminal, shown)
        terminal.check("the agent shows the same number", access.job and f"Number: {access.job}." in shown)
        terminal.check("and the digest of this very document", digest.hex() in shown)
        terminal.check("the application's terminal escape is shown as what it is", "\x1b[8m" not in shown)
        terminal.check("until the holder answers, nothing is signed", not signing.done())
        agent.type("y\n")
        signature = stage.folder / "consented.sig"
        signature.write_bytes(await signing)
        terminal.check("the holder says yes: openssl verifies the signature", witness.verifies(document, signature))
    with terminal.step("It wants another one, and the holder says no"):
        again = asyncio.create_task(session.sign("signature", "RS256", bytes(32), document=Document(kind=KIND)))
        await asyncio.to_thread(agent.until, QUESTION)
        agent.type("n\n")
        error = (await asyncio.gather(again, return_exceptions=True))[0]
        terminal.say(str(error))
        terminal.check("it is refused, by an error of its own", isinstance(error, ConsentRefused))


async def without_a_rule(stage: Stage, terminal: Terminal, session: Session) -> None:
    """What no rule gives, nobody gets: the holder's own programs included."""
    with terminal.step("An application of the holder's wants any digest signed with the authentication key"):
        (error,) = await asyncio.gather(session.sign("authentication", "RS256", bytes(32)), return_exceptions=True)
        terminal.say(str(error))
        terminal.check("no rule gives it that: it is refused, and nobody is asked", isinstance(error, NotAuthorized))
        arguments = ("rules", "check", "sign", "--key", "authentication")
        explained = (await asyncio.to_thread(stage.cardctl, "--json", *arguments)).json()["access"]
        terminal.check("cardctl rules check says the same", (explained["effect"], explained["rule"]) == ("deny", ""))


def _show(terminal: Terminal, shown: str) -> None:
    for line in shown.splitlines():
        if line.strip():
            terminal.say(f"| {re.sub(r'[0-9a-f]{60,}', '…', line.strip())}")
