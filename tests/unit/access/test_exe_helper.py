"""The helper that reads executables, with its client, over a real socket."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.caller import Caller
from cardd.access.callers import Callers
from cardd.access.exe_client import ExecutableHelper
from cardd.access.exe_helper import executable_of, main, serve
from cardd.access.exe_protocol import Fault, Request, answer_packet, parse_answer, parse_request
from cardd.access.facts import gather
from cardd.access.process import Process
from tests.unit.access.support import Sessions

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="other users and namespaces are for root")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "a program with spaces) é"
    shutil.copy(shutil.which("sleep") or "", path)
    return path


@pytest.fixture
def running(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([program, "infinity"]) as process:
        yield process
        process.kill()


def start_time(pid: int) -> int:
    with Process(pid) as process:
        return process.stat().start_time


@contextmanager
def started(folder: Path, user: str, *drop: str) -> Iterator[Path]:
    """The program as systemd starts it, its socket as descriptor 3; gives the socket's path."""
    path = folder / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()
        script = 'exec 3<&"$1"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        program = [*drop, sys.executable, "-m", "cardd.access.exe_helper", user]
        command = ["bash", "-c", script, "start", str(listening.fileno()), *program]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as process:
            try:
                yield path
            finally:
                process.kill()


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[ExecutableHelper]:
    with started(tmp_path, pwd.getpwuid(os.getuid()).pw_name) as path:
        yield ExecutableHelper(path)


async def test_the_path_of_a_program(helper: ExecutableHelper, program: Path, running: subprocess.Popen[bytes]) -> None:
    assert await helper.executable(running.pid, start_time(running.pid)) == str(program)
    assert helper.problem() is None


async def test_a_caller_that_execs_is_what_it_is_when_it_is_looked_at_and_stays_that_for_its_connection(
    helper: ExecutableHelper, program: Path
) -> None:
    """exec(2) keeps pid and start time: whoever execs before the first look passes for the new program, whoever does it
    after stays the old one. So rules by executable are policy within one uid (docs/access.md), and no more than that.
    """
    shell = Path(shutil.which("sh") or "").resolve()
    with subprocess.Popen(["sh", "-c", f"read line; exec '{program}' infinity"], stdin=subprocess.PIPE) as process:
        caller = Caller(":1.7", os.getuid(), process.pid)

        async def credentials(name: str) -> Caller | None:
            return caller

        callers = Callers(lambda one: gather(one, credentials, Sessions(), executables=helper))
        before = await callers.facts(caller)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        while os.readlink(f"/proc/{process.pid}/exe") != str(program):
            await asyncio.sleep(0)
        assert before.executable == str(shell)
        assert (await callers.facts(caller)).executable == str(shell), "facts are of the connection, gathered once"
        callers.forget(caller.name)
        assert (await callers.facts(caller)).executable == str(program)
        assert (await callers.facts(caller)).start_time == before.start_time
        process.kill()


async def test_another_start_time_is_another_process(
    helper: ExecutableHelper, running: subprocess.Popen[bytes]
) -> None:
    assert await helper.executable(running.pid, start_time(running.pid) + 1) is None
    assert executable_of(running.pid, start_time(running.pid) + 1) is Fault.GONE


def test_a_process_that_ended(running: subprocess.Popen[bytes]) -> None:
    began = start_time(running.pid)
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert executable_of(running.pid, began) in (Fault.GONE, Fault.UNREADABLE)  # a zombie has no program
    running.wait()
    assert executable_of(running.pid, began) is Fault.GONE


def test_a_program_that_was_deleted(program: Path, running: subprocess.Popen[bytes]) -> None:
    program.unlink()
    assert executable_of(running.pid, start_time(running.pid)) is Fault.ELSEWHERE


def test_a_program_that_was_replaced(program: Path, running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copy(shutil.which("sleep") or "", other)
    other.rename(program)
    # The kernel now calls it "... (deleted)": a file of that very name must not pass for it either.
    Path(f"{program} (deleted)").write_text("a decoy")
    assert executable_of(running.pid, start_time(running.pid)) is Fault.ELSEWHERE


@needs_root
def test_a_program_bound_over_another_in_its_own_namespace(tmp_path: Path, program: Path) -> None:
    trusted = tmp_path / "trusted"
    trusted.write_text("the real one")
    script = 'mount --bind "$1" "$2" && exec "$2" infinity'
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "x", str(program), str(trusted)]
    with subprocess.Popen(command) as process:
        try:
            link = Path(f"/proc/{process.pid}/exe")
            while process.poll() is None and os.readlink(link) != str(trusted):
                os.sched_yield()
            assert executable_of(process.pid, start_time(process.pid)) is Fault.ELSEWHERE
        finally:
            process.kill()


@pytest.mark.skipif(
    not Path("/proc/2/exe").is_symlink(), reason="no kernel thread is visible in this process namespace"
)
def test_a_kernel_thread_has_no_program() -> None:
    assert executable_of(2, start_time(2)) is Fault.UNREADABLE


async def test_a_stranger_is_refused(tmp_path: Path) -> None:
    with started(tmp_path, "nobody") as path:
        helper = ExecutableHelper(path)
        assert await helper.executable(os.getpid(), start_time(os.getpid())) is None
        assert "stranger" in (helper.problem() or "")


def raw(path: Path, packet: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(path))
        connection.send(packet)
        return connection.recv(8192)


@pytest.mark.parametrize("packet", [b"x", b"1", b"1 2 3", b"-1 2", b"1 2\n", b"01 2", b"../1 2", b"9" * 4096])
async def test_a_malformed_request_costs_its_sender_alone(helper: ExecutableHelper, packet: bytes) -> None:
    assert raw(helper._path, packet) == b"malformed"
    assert helper.problem() is None


async def test_one_who_leaves_without_a_word_holds_up_nobody(helper: ExecutableHelper) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(helper._path))
    assert helper.problem() is None


async def test_without_a_helper(tmp_path: Path) -> None:
    helper = ExecutableHelper(tmp_path / "nothing")
    assert await helper.executable(1, 1) is None
    assert "does not answer" in (helper.problem() or "")


def test_it_ends_when_nobody_asks(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        serve(listening, os.getuid(), idle=0.01)


def test_started_by_hand_it_says_how_it_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    assert main([]) == os.EX_USAGE
    assert "started by systemd" in capsys.readouterr().err
    assert main(["a", "b"]) == os.EX_USAGE


DROP = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all,+sys_ptrace", "--ambient-caps=-all,+sys_ptrace", "--bounding-set=-all,+sys_ptrace", "--"),
)


@needs_root
def test_one_capability_is_enough(tmp_path: Path, program: Path, running: subprocess.Popen[bytes]) -> None:
    for folder in (tmp_path, *tmp_path.parents[: len(tmp_path.parts) - 3]):
        folder.chmod(0o755)  # below /tmp: the path itself must be seen
    with started(tmp_path, "root", *DROP) as path:
        answer = raw(path, Request(running.pid, start_time(running.pid)).packet())
    assert parse_answer(answer) == str(program)


@needs_root
def test_without_the_capability_there_is_no_answer(tmp_path: Path, running: subprocess.Popen[bytes]) -> None:
    without = [argument.replace(",+sys_ptrace", "") for argument in DROP]
    with started(tmp_path, "root", *without) as path:
        answer = raw(path, Request(running.pid, start_time(running.pid)).packet())
    assert parse_answer(answer) is Fault.UNREADABLE


@given(st.integers(1, (1 << 31) - 1), st.integers(0, (1 << 64) - 1))
def test_a_request_is_read_as_it_was_written(pid: int, began: int) -> None:
    assert parse_request(Request(pid, began).packet()) == Request(pid, began)


@given(st.binary(max_size=100).filter(lambda path: b"\0" not in path))
def test_a_path_is_read_as_it_was_written(path: bytes) -> None:
    text = "/" + path.decode("utf-8", "surrogateescape")
    assert parse_answer(answer_packet(text)) == text


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_is_read_as_it_was_written(fault: Fault) -> None:
    assert parse_answer(answer_packet(fault)) is fault


@pytest.mark.parametrize("packet", [b"", b"ok", b"ok relative", b"ok /a\0b", b"fine"])
def test_an_answer_that_is_none(packet: bytes) -> None:
    with pytest.raises(ValueError, match="not a valid Fault"):
        parse_answer(packet)
