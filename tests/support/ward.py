"""A ward: a little host with polkitd and cardd on its system bus, a card in the reader, applications of any kind."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.core import pki_store
from tests.support.host import CARDD_UID, MEMBER_UID, REPOSITORY, Host, stage
from tests.support.running import authorities

ACTIONS = "/usr/share/polkit-1/actions"
POLICY = "org.cardd1.policy"

DESK = "UID={uid}\nUSER=doctor\nACTIVE=1\nSTATE=active\nREMOTE=0\nSEAT=seat0\nTYPE=wayland\nCLASS=user\n"
LOGINS = {
    "active": DESK,
    "inactive": DESK.replace("ACTIVE=1", "ACTIVE=0").replace("STATE=active", "STATE=online"),
    "remote": DESK.replace("REMOTE=0", "REMOTE=1").replace("SEAT=seat0\n", ""),
}

# One application: tells its pid, waits until it is placed, does everything, tells each outcome.
_APPLICATION = """
import asyncio, hashlib, json, os, sys
print(os.getpid(), flush=True)
sys.stdin.readline()
from cardd.client import CarddClient, Document
from cardd.errors import CarddError
from cardd.tokens.keys import PublicKey
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

async def outcome(work):
    try:
        await work
        return "yes"
    except CarddError as error:
        return error.short_name

async def first(entries):
    async for _ in entries:
        break

async def main(wanted):
    digest, told = hashlib.sha256(b"x").digest(), {}
    device = PublicKey.of(generate_private_key(SECP256R1()).public_key()).spki
    async with await CarddClient.connect() as client:
        async with asyncio.timeout(20):
            card = await client.wait_for_card()
        told["read-holder"] = await outcome(card.get_holder())
        told["authenticate"] = await outcome(card.authenticate(pin=bytearray(b"1234")))
        for session in await client.sessions():
            said = Document(kind=wanted.get("kind", ""))
            told["sign"] = await outcome(session.sign("signature", "RS256", digest, document=said))
            told["sign, raw"] = await outcome(session.sign("authentication", "RS256", digest))
            told["decrypt"] = await outcome(session.decrypt("encryption", "RSA1_5", bytes(256)))
            told["assert"] = await outcome(session.assert_to("https://records.example", bytes(16)))
            told["mint-token"] = await outcome(session.mint_token(device))
        told["own tokens"] = await outcome(client.tokens.page())
        told["manage-tokens"] = await outcome(client.tokens.page(everyone=True))
        told["own entries"] = await outcome(first(client.journal.query()))
        told["read-journal"] = await outcome(client.journal.verify())
        told["configure"] = await outcome(client.reload())
        for session in await client.sessions():
            if "end" in wanted:
                told["end"] = await outcome(session.end())
        for token_id in wanted.get("revoke", ()):
            told["revoke"] = await outcome(client.tokens.revoke(token_id, "lost"))
        if "ids" in wanted:
            told["ids"] = [one.token_id for one in await client.tokens.page()]
    print(json.dumps(told), flush=True)

asyncio.run(main(json.loads(sys.argv[1])))
"""

_CONFIGURATION = """
[readers]
backend = "cardsim"
options = {{ control = "{folder}/control", home = "{folder}/pki", inserted = "yes" }}
[cards]
memory = ""
[pki]
directory = "{folder}/trust"
simulator = "{folder}/authorities"
[revocation]
index = "{folder}/revocation"
fetched = ""
[journal]
directory = "{folder}/journal"
journald = false
told = "{folder}/told"
[tokens]
registry = "{folder}/tokens.sqlite"
key = "{folder}/token-key.pem"
[access]
rules = ["{folder}/rules.toml"]
"""


def in_user_manager(uid: int, unit: str) -> str:
    """The control group of a unit of a user's service manager."""
    return f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/{unit}"


@dataclass(frozen=True, slots=True)
class Application:
    """A program as its user runs it.

    Args:
        uid: of the user.
        group: control group; None for an ordinary program under the user's service manager.
        copied: it is a program of its own, at `Ward.program`, and not this Python.
        kind: of the document that it says it signs.
    """

    uid: int = MEMBER_UID
    group: str | None = None
    copied: bool = False
    kind: str = ""


class Ward:
    """What runs, and how to act on it. Made by `open_ward`.

    Args:
        host: the little host.
        folder: cardd's files.
    """

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder

    @property
    def program(self) -> Path:
        """Path of the program that copied applications run."""
        return self.folder / "records-program"

    def log_in(self, kind: str | None, uid: int = MEMBER_UID) -> None:
        """Give a user a login session of that kind, or none."""
        log_in(self.host, kind, uid)

    def outcomes(self, application: Application, **wanted: object) -> dict[str, str]:
        """What an application gets, by what it tries; `end`, `revoke` and `ids` are tried where they are wanted."""
        given = json.dumps({"kind": application.kind, **wanted})
        program = [str(self.program) if application.copied else sys.executable, "-c", _APPLICATION, given]
        paths = ":".join(one for one in sys.path if one)
        process = self.host.start(
            ["env", f"PYTHONPATH={paths}", f"PYTHONHOME={sys.base_prefix}", *program]
            if application.copied
            else program,
            application.uid,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        group = application.group or in_user_manager(application.uid, "app-test.scope")
        self.host.place(int(process.stdout.readline()), group)
        process.stdin.write("\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, process.communicate()
        found: dict[str, str] = json.loads(line)
        return found

    def put_rules(self, text: str) -> None:
        """Put rules of cardd in force."""
        (self.folder / "rules.toml").write_text(text)
        shell(self.host, "gdbus call --system -d org.cardd1 -o /org/cardd1 -m org.cardd1.Manager.Reload")

    @contextmanager
    def polkit_rule(self, text: str) -> Iterator[None]:
        """Have polkitd follow a hospital's rule for the length of a block."""
        rules = "/etc/polkit-1/rules.d/40-hospital.rules"
        with self._changed():
            shell(self.host, f'printf %s "$1" >{rules}.new; mv {rules}.new {rules}', text)
        try:
            yield
        finally:
            with self._changed():
                shell(self.host, f"rm {rules}")

    @contextmanager
    def _changed(self) -> Iterator[None]:
        """Wait until polkitd has said Changed."""
        name = "org.freedesktop.PolicyKit1"
        watching = self.host.start(["gdbus", "monitor", "--system", "--dest", name])
        assert watching.stdout is not None
        assert "Monitoring" in watching.stdout.readline()
        assert "owned by" in watching.stdout.readline()
        yield
        for line in watching.stdout:
            if "Authority.Changed" in line:
                break
        watching.terminate()

    def refusals(self) -> list[Mapping[str, object]]:
        """The particulars of what was refused so far, as the journal keeps them."""
        found = []
        for segment in sorted((self.folder / "journal").glob("*.jsonl")):
            for line in segment.read_bytes().rstrip(b"\0").splitlines():
                entry = json.loads(line)
                if entry["kind"] == "refused":
                    found.append(entry["what"])
        return found


@contextmanager
def open_ward(rules: str | None = None) -> Iterator[Ward]:
    """A ward; everything has ended afterwards.

    Args:
        rules: text of the file of rules; None for the one that is installed.
    """
    # Below /tmp itself: pytest's own directories are closed to the other users.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as staging,
        tempfile.TemporaryDirectory(dir="/tmp") as scratch,
        tempfile.TemporaryDirectory(dir="/tmp") as state,
        Host(stage(Path(staging)), Path(scratch)) as host,
    ):
        ward = Ward(host, Path(state))
        _prepare(ward, Path(staging), rules)
        shell(host, "mkdir -p /run/systemd/sessions /run/systemd/users /run/systemd/seats /run/systemd/machines")
        host.start_bus()
        start_polkit(host)
        _start_helper(host)
        host.start([sys.executable, "-m", "cardd", "--config", f"{state}/cardd.toml"], CARDD_UID)
        waited = host.run(["gdbus", "wait", "--system", "--timeout=30", "org.cardd1"])
        assert waited.returncode == 0, waited.stderr
        yield ward


def start_polkit(host: Host) -> None:
    """Start a polkitd that knows cardd's actions."""
    policy = (REPOSITORY / "polkit" / POLICY).read_text()
    shell(host, f'mount -t tmpfs -o mode=0755 none {ACTIONS}; printf %s "$1" >{ACTIONS}/{POLICY}', policy)
    host.start(["/usr/lib/polkit-1/polkitd", "--no-debug"])
    waited = host.run(["gdbus", "wait", "--system", "--timeout=30", "org.freedesktop.PolicyKit1"])
    assert waited.returncode == 0, waited.stderr


# As systemd starts it: the socket listens before, is descriptor 3, and starts it anew when somebody asks.
_HELPER = """
import os, select, socket, sys
os.mkdir("/run/cardd-exe-helper", 0o755)
listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listening.bind("/run/cardd-exe-helper/socket")
listening.listen()
os.chown("/run/cardd-exe-helper/socket", int(sys.argv[1]), 0)
os.chmod("/run/cardd-exe-helper/socket", 0o600)
print("listens", flush=True)
while select.select([listening], [], []):
    helper = os.fork()
    if helper == 0:
        os.dup2(listening.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.execv(sys.executable, [sys.executable, "-m", "cardd.access.exe_helper", "cardd"])
    os.waitpid(helper, 0)
"""


def _start_helper(host: Host) -> None:
    host.start_ready([sys.executable, "-c", _HELPER, str(CARDD_UID)])


def _prepare(ward: Ward, staged: Path, rules: str | None) -> None:
    folder = ward.folder
    folder.chmod(0o755)
    staged.chmod(0o755)
    shutil.copytree(pki_store().directory, folder / "pki")
    authorities(folder)
    (folder / "trust").mkdir()
    text = (staged / "etc/cardd/rules.toml").read_text() if rules is None else rules
    (folder / "rules.toml").write_text(text)
    (folder / "cardd.toml").write_text(_CONFIGURATION.format(folder=folder))
    shutil.copy(os.path.realpath(sys.executable), ward.program)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, CARDD_UID, CARDD_UID)


def shell(host: Host, script: str, *arguments: str) -> None:
    """Run a script inside, as root; it must succeed."""
    done = host.run(["bash", "-c", f"set -eu; {script}", "sh", *arguments])
    assert done.returncode == 0, done.stderr


def log_in(host: Host, kind: str | None, uid: int = MEMBER_UID) -> None:
    """Give a user a session of that kind (of `LOGINS`), or none; one user at a time has one."""
    if kind is None:
        shell(host, 'rm -f "/run/systemd/users/$1" /run/systemd/sessions/2', str(uid))
        return
    session = LOGINS[kind].format(uid=uid)
    shell(
        host,
        'printf "NAME=doctor\\nSTATE=%s\\nDISPLAY=2\\nSESSIONS=2\\n" "$3" >"/run/systemd/users/$1"; '
        "printf 'IS_SEAT0=1\\n' >/run/systemd/seats/seat0; "
        # Renamed into its place last, as logind does: it is what polkitd watches.
        'printf %s "$2" >/run/systemd/sessions/.new; mv /run/systemd/sessions/.new /run/systemd/sessions/2',
        str(uid),
        session,
        # polkit's "active" is that any session of the user is.
        "online" if kind == "inactive" else "active",
    )
    settle(host)


def settle(host: Host) -> None:
    """Let polkitd see what changed: it looks at its files and its calls in turn."""
    authority = "/org/freedesktop/PolicyKit1/Authority"
    get = ["org.freedesktop.DBus.Properties.Get", "org.freedesktop.PolicyKit1.Authority", "BackendName"]
    call = ["gdbus", "call", "--system", "-d", "org.freedesktop.PolicyKit1", "-o", authority, "-m", *get]
    for _ in range(2):
        assert host.run(call).returncode == 0
