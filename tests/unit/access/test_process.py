"""/proc as hostile processes fill it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.process import Process, ProcessGone, ProcessUnknown, parse_stat, parse_status


def stat_line(comm: bytes, pid: int = 4242, start_time: int = 987654) -> bytes:
    fields = [b"S", *[b"1"] * 18, b"%d" % start_time, *[b"0"] * 30]
    return b"%d (%s) %s\n" % (pid, comm, b" ".join(fields))


@pytest.mark.parametrize(
    "comm", [b"bash", b"a b c", b"a) S 1 1 1", b") R 9 (", b"((()))", b"", b"line\nfeed", b"\xff\xfe", b") 1 2 3 4 5 6"]
)
def test_the_name_ends_at_the_last_parenthesis(comm: bytes) -> None:
    stat = parse_stat(stat_line(comm))
    assert (stat.pid, stat.start_time) == (4242, 987654)
    assert stat.comm == comm.decode("utf-8", "replace")


@given(st.binary(max_size=15), st.integers(1, 1 << 22), st.integers(0, (1 << 64) - 1))
def test_any_name_leaves_the_start_time(comm: bytes, pid: int, start_time: int) -> None:
    stat = parse_stat(stat_line(comm, pid, start_time))
    assert (stat.pid, stat.start_time) == (pid, start_time)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_or_read(content: bytes) -> None:
    for parse in (parse_stat, parse_status):
        try:
            parse(content)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "content",
    [b"", b"1", b"1 (a", b"x (a) S" + b" 1" * 20, b"1 (a) S 1 1", b"(a) S" + b" 1" * 30, b"1 a S" + b" 1" * 30],
)
def test_malformed_stat(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no process name|fewer than 22|not a number"):
        parse_stat(content)


STATUS = b"Name:\tx\\nUid:\t0 0 0 0\nUmask:\t0022\nUid:\t1000\t1001\t1002\t1003\nGid:\t1\t1\t1\t1\nNSpid:\t4242\t7\n"


def test_status() -> None:
    status = parse_status(STATUS)
    assert status.uids == (1000, 1001, 1002, 1003)
    assert status.namespace_depth == 1


@pytest.mark.parametrize(
    "content", [b"", b"Uid:\t1 2 3\nNSpid:\t1\n", b"Uid:\t1 2 3 4\n", b"Uid:\ta b c d\nNSpid:\t1\n"]
)
def test_malformed_status(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no Uid or NSpid|not a number"):
        parse_status(content)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "infinity"]) as process:
        yield process
        process.kill()


def test_a_living_process(sleeper: subprocess.Popen[bytes]) -> None:
    with Process(sleeper.pid) as process:
        assert process.alive
        assert process.stat().pid == sleeper.pid
        assert process.stat().comm in ("sleep", Path(sys.executable).name)  # before and after its exec
        assert process.status().uids == (os.getuid(),) * 4
        assert process.cgroup().startswith("/")


def test_a_name_with_parentheses_from_the_kernel(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "infinity"]) as running:
        try:
            with Process(running.pid) as process:
                expected = int(Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[19])
                assert process.stat().start_time == expected
        finally:
            running.kill()


def test_a_process_that_ends_is_seen_even_as_a_zombie(sleeper: subprocess.Popen[bytes]) -> None:
    with Process(sleeper.pid) as process:
        sleeper.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, not reaped
        assert process.stat().pid == sleeper.pid
        assert not process.alive
        with pytest.raises(ProcessGone):
            process.require_alive()
        sleeper.wait()
        with pytest.raises(ProcessGone):
            process.stat()


def test_no_process() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(ProcessGone):
        Process(gone.pid)


@pytest.mark.parametrize("pid", [0, -1, 1 << 40])
def test_no_number_of_a_process(pid: int) -> None:
    with pytest.raises(ProcessUnknown):
        Process(pid)


def test_a_hidden_proc_is_told_from_a_process_that_ended(tmp_path: Path) -> None:
    with Process(os.getpid(), tmp_path) as process, pytest.raises(ProcessUnknown, match="hidepid") as caught:
        process.stat()
    assert not isinstance(caught.value, ProcessGone)


def test_nonsense_in_proc(tmp_path: Path) -> None:
    folder = tmp_path / str(os.getpid())
    folder.mkdir()
    (folder / "stat").write_bytes(b"nonsense")
    with Process(os.getpid(), tmp_path) as process, pytest.raises(ProcessUnknown, match="makes no sense"):
        process.stat()


def test_no_descriptor_is_left(sleeper: subprocess.Popen[bytes]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with Process(sleeper.pid) as process:
            process.stat()
    assert len(os.listdir("/proc/self/fd")) == before
