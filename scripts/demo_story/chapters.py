"""The chapters of the story; each claim is checked, with an independent tool where there is one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Awaitable

from scripts.demo_story import consent_chapter, token_chapter
from scripts.demo_story.stage import ROOT, Stage
from scripts.demo_story.terminal import Terminal
from scripts.demo_story.witnesses import OpenSsl, borrow_with_pkcs11_tool

from cardd.client import Card, CarddClient, Session
from cardd.errors import SessionEnded

EXIT_PIN_INCORRECT = 5
PATIENCE = 30.0


async def tell(stage: Stage, terminal: Terminal) -> None:
    """The whole story."""
    _set_the_stage(stage, terminal)
    async with await CarddClient.connect(stage.bus) as client:
        pin, card = await _insert(stage, terminal, client)
        await _show_holder(stage, terminal)
        await _borrow_before(stage, terminal, pin)
        _wrong_pin(stage, terminal, pin)
        agent = await consent_chapter.begin(stage, terminal)
        session = await _right_pin(stage, terminal, client, pin)
        await consent_chapter.told_of_the_journal(terminal, agent)
        witness = OpenSsl(stage, await card.get_certificates())
        await _sign(stage, terminal, session, witness)
        await consent_chapter.ask(stage, terminal, session, agent, witness)
        await _decrypt(stage, terminal, witness)
        await _borrow(stage, terminal, pin)
        await _stranger(stage, terminal, session)
        await consent_chapter.without_a_rule(stage, terminal, session)
        await asyncio.to_thread(token_chapter.mint, stage, terminal)
        await _remove(stage, terminal, session)
        await asyncio.to_thread(token_chapter.live_on, stage, terminal)
        _journal(stage, terminal)


def _set_the_stage(stage: Stage, terminal: Terminal) -> None:
    with terminal.step("The stage: a private D-Bus, readers, and cardd"):
        stage.set()
        if not stage.in_process:
            terminal.say("pcscd runs with a virtual reader (vpcd), beside any pcscd of this machine")
        elif stage.why_in_process:
            terminal.say(f"no pcscd here ({stage.why_in_process}): cardd reads the simulator's own reader instead")
        else:
            terminal.say("as asked, without pcscd: cardd reads the simulator's own reader")
        names = stage.run(["busctl", f"--address={stage.bus}", "list", "--acquired", "--no-legend"])
        terminal.check("cardd owns org.cardd1 on the bus (busctl)", b"org.cardd1" in names.output)


async def _insert(stage: Stage, terminal: Terminal, client: CarddClient) -> tuple[str, Card]:
    with terminal.step("A CPS card is inserted"):
        printed = await asyncio.to_thread(stage.insert)
        for line in printed.splitlines():
            terminal.say(line)
        card = await _identified(client)
        terminal.check(f"cardd recognised it: {card.kind}, by the driver {card.driver}", card.kind == "cps3")
        pin = re.search(r"PIN\W+(\d{4})", printed)
        terminal.check("the simulator told the fictional card's PIN", pin is not None)
        return (pin.group(1) if pin else ""), card


async def _identified(client: CarddClient) -> Card:
    async with asyncio.timeout(PATIENCE):
        while True:
            for card in await client.cards():
                if card.identified:
                    return card
            await asyncio.sleep(0.02)


async def _show_holder(stage: Stage, terminal: Terminal) -> None:
    with terminal.step("Its holder is recognised, before any PIN"):
        status = stage.cardctl("status")
        for line in status.output.decode().splitlines():
            terminal.say(line)
        (card,) = stage.cardctl("--json", "status").json()["cards"]
        terminal.check("the holder has a national identifier", card["holder"]["national_id"])
        terminal.check("the certificate's chain is trusted", card["trust"]["state"] == "trusted")
        terminal.check("and cardd says that this trust is the simulator's", card["trust"]["simulator"])


def _login(stage: Stage, pin: str) -> tuple[int, str]:
    reading, writing = os.pipe()
    os.write(writing, pin.encode())
    os.close(writing)
    outcome = stage.cardctl("login", "--pin-fd", str(reading), pass_fds=(reading,))
    os.close(reading)
    return outcome.status, (outcome.output.decode() + outcome.errors).strip()


def _wrong_pin(stage: Stage, terminal: Terminal, pin: str) -> None:
    with terminal.step("A wrong PIN"):
        wrong = f"{(int(pin) + 1) % 10_000:04d}"
        status, said = _login(stage, wrong)
        terminal.say(said)
        terminal.check("it was refused by the card", status == EXIT_PIN_INCORRECT)
        (card,) = stage.cardctl("--json", "status").json()["cards"]
        terminal.check("two tries are left", card["pin_tries_left"] == 2)


async def _right_pin(stage: Stage, terminal: Terminal, client: CarddClient, pin: str) -> Session:
    with terminal.step("The right PIN"):
        status, said = await asyncio.to_thread(_login, stage, pin)
        terminal.say(said)
        terminal.check("the card verified it, and signed a fresh challenge", status == 0)
        (session,) = await client.sessions()
        terminal.check("a session is open", session.level == "card")
        return session


async def _sign(stage: Stage, terminal: Terminal, session: Session, witness: OpenSsl) -> None:
    with terminal.step("A document is signed"):
        document = stage.folder / "prescription.txt"
        document.write_text("Ordonnance fictive : repos, trois jours.\n")
        signature = stage.folder / "prescription.sig"
        outcome = stage.cardctl("sign", str(document), "-o", str(signature))
        terminal.say(outcome.errors.strip() or f"{signature.name}: {signature.stat().st_size} bytes")
        terminal.check("openssl verifies it with the signature certificate", witness.verifies(document, signature))
        terminal.check("openssl verifies that certificate up to the fictional root", witness.verifies_chain())
        document.write_text(document.read_text().replace("trois", "trente"))
        terminal.check("and refuses it once the document is altered", not witness.verifies(document, signature))
        begun = time.monotonic()
        for number in range(10):
            await session.sign("signature", "RS256", hashlib.sha256(bytes([number])).digest())
        terminal.say(f"ten more: {(time.monotonic() - begun) * 100:.1f} ms each, the simulated card's RSA included")


async def _decrypt(stage: Stage, terminal: Terminal, witness: OpenSsl) -> None:
    with terminal.step("A message that openssl encrypted is decrypted"):
        secret = b"Compte rendu fictif : tout va bien."
        cryptogram = witness.encrypt(secret)
        plain = stage.folder / "message.txt"
        outcome = stage.cardctl("decrypt", str(cryptogram), "-o", str(plain))
        terminal.say(outcome.errors.strip() or f"{plain.name}: {plain.stat().st_size} bytes")
        terminal.check("the plaintext is what was encrypted", plain.read_bytes() == secret)


async def _borrow_before(stage: Stage, terminal: Terminal, pin: str) -> None:
    if stage.in_process:
        return  # nobody else can reach the simulator's own reader: it is inside cardd
    with terminal.step("While no session is open, another program that is told the PIN can use the card"):
        outcome = await asyncio.to_thread(borrow_with_pkcs11_tool, stage, pin)
        terminal.check("pkcs11-tool of OpenSC signs with it", outcome.status == 0)


async def _borrow(stage: Stage, terminal: Terminal, pin: str) -> None:
    with terminal.step("Another program tries to use the verified card"):
        if stage.in_process:
            terminal.say("nobody else can: the simulator's own reader is inside cardd")
            return
        outcome = await asyncio.to_thread(borrow_with_pkcs11_tool, stage, pin)
        terminal.say(f"pkcs11-tool: {next(iter(outcome.errors.strip().splitlines()), '')}")
        terminal.check("the same command is refused now", outcome.status != 0)
        answer = await asyncio.to_thread(stage.run, ["opensc-tool", "--reader", "0", "--send-apdu", "00200001"])
        terminal.say(f"opensc-tool: {next(iter(answer.errors.strip().splitlines()), '')}")
        terminal.check("and nobody can send the verified card a command", answer.status != 0)


async def _stranger(stage: Stage, terminal: Terminal, session: Session) -> None:
    if os.geteuid() != 0:
        return  # only root can play another user
    with terminal.step("Another user's program asks for a signature over the bus"):
        call = ["gdbus", "call", "--address", stage.bus, "--dest", "org.cardd1", "--object-path", session.path]
        sign = ["--method", "org.cardd1.Session.Sign", "signature", "RS256", str([0] * 32), "{}"]
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        outcome = await asyncio.to_thread(stage.run, [*nobody, *call, *sign])
        terminal.say(f"gdbus: {next(iter(outcome.errors.strip().splitlines()), '')}")
        terminal.check("it is refused", "org.cardd1.Error.NotAuthorized" in outcome.errors)


async def _remove(stage: Stage, terminal: Terminal, session: Session) -> None:
    with terminal.step("The card is taken out while it is signing"):
        stage.cardsim("fault", "delay@1:3000", "--control", str(stage.control))
        signing = asyncio.create_task(session.sign("signature", "RS256", hashlib.sha256(b"late").digest()))
        await asyncio.sleep(0.3)
        terminal.check("the card is still at it", not signing.done())
        begun = time.monotonic()
        await asyncio.to_thread(stage.cardsim, "remove", "--control", str(stage.control))
        async with asyncio.timeout(PATIENCE):
            reason = await session.wait_ended()
        terminal.say(f"Ended: {reason}, {(time.monotonic() - begun) * 1000:.0f} ms after the command to take it out")
        terminal.say("(pcscd polls this virtual reader every 400 ms; a USB reader interrupts at once)")
        terminal.check("the session ended because of the card", reason == "card-removed")
        error = await _failure_of(signing)
        terminal.say(f"the running call: {error}")
        terminal.check("no signature came out of it", isinstance(error, SessionEnded))
    with terminal.step("The next call"):
        error = await _failure_of(session.sign("signature", "RS256", hashlib.sha256(b"next").digest()))
        terminal.say(str(error))
        terminal.check("it is refused: the session has ended", isinstance(error, SessionEnded))
        outcome = stage.cardctl("status")
        for line in outcome.output.decode().splitlines():
            terminal.say(line)


def _journal(stage: Stage, terminal: Terminal) -> None:
    with terminal.step("What was written down"):
        journal = stage.folder / "journal"
        text = "".join(path.read_text() for path in sorted(journal.glob("*.jsonl"))).rstrip("\0")
        kinds = re.findall(r'"kind":"([a-z-]+)"', text)
        terminal.say(", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)))
        expected = {"refused", "signed", "consent-given", "consent-refused", "holder-told", "session-ended"}
        expected |= {"token-minted", "token-redeemed", "token-revoked"}
        terminal.check("refusals, consents, signatures, the end and the token are there", expected <= set(kinds))
        verifier = [sys.executable, str(ROOT / "scripts" / "journal-verify")]
        terminal.check(
            "a verifier that knows nothing of cardd accepts it", stage.run([*verifier, str(journal)]).status == 0
        )
        copy = stage.folder / "spoilt"
        shutil.copytree(journal, copy)
        (segment, *_) = sorted(copy.glob("*.jsonl"))
        segment.chmod(0o600)
        segment.write_bytes(segment.read_bytes().replace(b"PinIncorrect", b"PinForgotten", 1))
        found = stage.run([*verifier, str(copy)])
        terminal.say(next(iter((found.output.decode() + found.errors).strip().splitlines()), ""))
        terminal.check("and names a single altered word in a copy", found.status == 1)


async def _failure_of(work: Awaitable[bytes]) -> BaseException | None:
    try:
        await asyncio.wait_for(asyncio.ensure_future(work), PATIENCE)
    except Exception as error:
        return error
    return None
