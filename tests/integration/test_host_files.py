"""The host's files, staged as they are installed and read by the programs that will read them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cardd.bus.names import SERVICE
from cardd.config import JournalSection, RevocationSection
from cardd.pki.revocation.asking_protocol import SOCKET
from tests.support.host import REPOSITORY, install_host, stage

UNIT = "usr/local/lib/systemd/system/cardd.service"
AGENT = "usr/local/lib/systemd/user/cardd-agent.service"
HELPER = "usr/local/lib/systemd/system/cardd-exe-helper.service"
ASK = "usr/local/lib/systemd/system/cardd-fetch-ocsp.service"
FETCH = "usr/local/lib/systemd/system/cardd-fetch.service"
CONFIGURATION = {"etc/cardd/cardd.toml", "etc/cardd/rules.toml"}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users are for root")


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return stage(tmp_path / "stage")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files_below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


# systemd


@pytest.fixture
def root(staged: Path) -> Path:
    """A staged root with the units of this machine and the programs that cardd.service names."""
    shutil.copytree("/lib/systemd/system", staged / "usr/lib/systemd/system", symlinks=True)
    for program in (
        "usr/local/bin/cardd",
        "usr/local/bin/cardd-exe-helper",
        "usr/local/bin/cardd-fetch",
        "usr/bin/busctl",
    ):
        path = staged / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return staged


def verify(root: Path, *units: str) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "verify", f"--root={root}", "--man=no", *units)


def test_units_verify_without_a_word(root: Path) -> None:
    units = (
        "cardd.service",
        "cardd-exe-helper.service",
        "cardd-exe-helper.socket",
        "cardd-fetch.service",
        "cardd-fetch.timer",
        "cardd-fetch-ocsp.service",
        "cardd-fetch-ocsp.socket",
    )
    result = verify(root, *units)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def verify_for_users(unit: Path, program: Path) -> str:
    """What systemd-analyze says of a unit of users. It knows no --root for these: the program must be where
    the unit says, and what it says of the machine's own units is left out."""
    unit.write_text(re.sub("(?m)^ExecStart=[^ ]+", f"ExecStart={program}", unit.read_text()))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    command = ["systemd-analyze", "verify", "--user", "--man=no", str(unit)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
    return "\n".join([str(done.returncode), *about])


def test_the_agents_unit_verifies_without_a_word(staged: Path) -> None:
    unit = staged / AGENT
    assert verify_for_users(unit, Path("/bin/true")) == "0"
    assert "not executable" in verify_for_users(unit, staged / "nothing")
    unit.write_text(unit.read_text().replace("RestartSec=", "RestartSecs="))
    assert "RestartSecs" in verify_for_users(unit, Path("/bin/true"))


def test_unit_verification_sees_a_wrong_key(root: Path) -> None:
    (root / UNIT).write_text((root / UNIT).read_text().replace("RestartSec=1", "RestartSecs=1"))
    assert "RestartSecs" in verify(root, "cardd.service").stderr


def test_unit_verification_sees_a_missing_program(root: Path) -> None:
    (root / "usr/local/bin/cardd").unlink()
    assert verify(root, "cardd.service").returncode != 0


def security(unit: Path) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit)


@pytest.mark.parametrize("unit", [UNIT, HELPER, FETCH, ASK])
def test_unit_exposure_is_two_or_less(staged: Path, unit: str) -> None:
    result = security(staged / unit)
    assert result.returncode == 0, result.stdout[-200:]


def test_unit_exposure_check_sees_a_weak_unit(tmp_path: Path) -> None:
    weak = tmp_path / "cardd.service"
    weak.write_text("[Service]\nExecStart=/bin/true\nUser=cardd\n")
    assert security(weak).returncode != 0


def test_sysusers_makes_the_users(staged: Path) -> None:
    result = run("systemd-sysusers", f"--root={staged}", "cardd.conf")
    assert result.returncode == 0, result.stderr
    passwd = (staged / "etc/passwd").read_text()
    homes = {line.split(":")[0]: line.split(":")[5:] for line in passwd.splitlines()}
    assert homes == {
        "cardd": ["/var/lib/cardd", "/usr/sbin/nologin"],
        "cardd-fetch": ["/var/cache/cardd-fetch", "/usr/sbin/nologin"],
    }
    groups = {line.split(":")[0] for line in (staged / "etc/group").read_text().splitlines()}
    assert groups == {"cardd", "cardd-fetch"}


def test_the_journal_has_a_directory_of_its_own_that_its_group_may_read(staged: Path) -> None:
    service = ini(staged / UNIT)["Service"]
    directories = [f"/var/lib/{name}" for name in service["StateDirectory"].split()]
    assert str(JournalSection().directory) in directories
    assert service["StateDirectoryMode"] == "0750"


def test_the_fetcher_writes_where_cardd_reads_and_nowhere_else(staged: Path) -> None:
    """What separates them: the network on one side, cardd's data on the other."""
    fetch, cardd = ini(staged / FETCH)["Service"], ini(staged / UNIT)["Service"]
    folder = f"/var/cache/{fetch['CacheDirectory']}"
    assert folder == str(RevocationSection().fetched)
    made = (staged / "usr/local/lib/tmpfiles.d/cardd.conf").read_text()
    assert f"{folder} 0755 cardd-fetch cardd-fetch" in made
    assert (fetch["User"], fetch["ProtectSystem"], fetch["InaccessiblePaths"]) == (
        "cardd-fetch",
        "strict",
        "-/var/lib/cardd",
    )
    assert not {"StateDirectory", "RuntimeDirectory", "ReadWritePaths"} & set(fetch)
    assert fetch["RestrictAddressFamilies"].split() == ["AF_INET", "AF_INET6", "AF_UNIX"]
    assert "AF_INET" not in cardd["RestrictAddressFamilies"]
    assert fetch["ExecStart"] == "/usr/local/bin/cardd-fetch --config /etc/cardd/cardd.toml"


def test_the_one_who_asks_responders_listens_where_cardd_asks_and_keeps_nothing(staged: Path) -> None:
    ask = ini(staged / ASK)["Service"]
    listening = ini(staged / ASK.replace(".service", ".socket"))["Socket"]
    assert (listening["ListenSequentialPacket"], listening["SocketMode"]) == (str(SOCKET), "0600")
    assert listening["SocketUser"] == "cardd"
    assert ask["ExecStart"] == "/usr/local/bin/cardd-fetch --answer --config /etc/cardd/cardd.toml"
    writable = {"CacheDirectory", "StateDirectory", "RuntimeDirectory", "ReadWritePaths"}
    assert not writable & set(ask)


# Names that must agree


def ini(path: Path) -> configparser.ConfigParser:
    # systemd repeats keys, which configparser refuses unless told; the last one wins.
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of keys
    parser.read(path)
    return parser


def test_bus_name_is_one_everywhere(staged: Path) -> None:
    unit = ini(staged / UNIT)
    activation = ini(staged / "usr/local/share/dbus-1/system-services/org.cardd1.service")["D-BUS Service"]
    assert unit["Service"]["BusName"] == activation["Name"] == SERVICE
    assert activation["SystemdService"] == Path(UNIT).name
    assert unit["Service"]["User"] == activation["User"] == "cardd"


# scripts/install-host


def test_unit_starts_the_program_of_the_prefix(staged: Path) -> None:
    service = ini(staged / UNIT)["Service"]
    assert service["ExecStart"] == "/usr/local/bin/cardd --config /etc/cardd/cardd.toml"
    assert ini(staged / HELPER)["Service"]["ExecStart"] == "/usr/local/bin/cardd-exe-helper"
    assert ini(staged / AGENT)["Service"]["ExecStart"] == "/usr/local/bin/cardctl agent"


def test_prefix_usr_is_the_layout_of_a_package(tmp_path: Path) -> None:
    stage(tmp_path, prefix="/usr")
    files = files_below(tmp_path)
    assert "usr/share/dbus-1/system.d/org.cardd1.conf" in files
    assert "usr/share/polkit-1/rules.d/60-cardd-pcscd.rules" in files
    assert "usr/share/polkit-1/rules.d/60-cardd-logind.rules" in files
    assert {name for name in files if name.startswith("etc/")} == CONFIGURATION
    unit = ini(tmp_path / "usr/lib/systemd/system/cardd.service")
    assert unit["Service"]["ExecStart"].startswith("/usr/bin/cardd ")


def test_interfaces_are_installed(staged: Path) -> None:
    installed = {path.name for path in (staged / "usr/local/share/dbus-1/interfaces").iterdir()}
    assert installed == {path.name for path in (REPOSITORY / "dbus").glob("*.xml")}


def test_installing_again_keeps_the_configuration(staged: Path) -> None:
    for name in CONFIGURATION:
        (staged / name).write_text("# mine\n")
    stage(staged)
    assert {(staged / name).read_text() for name in CONFIGURATION} == {"# mine\n"}


def test_uninstall_leaves_the_configuration_only(staged: Path) -> None:
    install_host(staged, "--uninstall")
    assert files_below(staged) == CONFIGURATION


def test_uninstall_purge_leaves_no_file(staged: Path) -> None:
    install_host(staged, "--uninstall", "--purge")
    assert files_below(staged) == set()


def test_install_host_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        install_host(tmp_path, "--uninstal")
    assert "unknown argument --uninstal" in caught.value.stderr
    assert files_below(tmp_path) == set()


# udev

DEVICE = "/devices/pci0000:00/0000:00:14.0/usb1/1-1"
# USB 2.0, 9.6: a device and a configuration descriptor, an interface of three, two endpoints.
DEVICE_DESCRIPTOR = bytes.fromhex("12 01 0002 00 00 00 08 e608 3734 0001 01 02 03 01")
ENDPOINTS = bytes.fromhex("07 05 81 03 0800 10  07 05 02 02 4000 00")


def usb_device(interface_class: int) -> str:
    """Give the umockdev record of a USB device with one interface of that class."""
    interface = bytes([9, 4, 0, 0, 2, interface_class, 0, 0, 0]) + ENDPOINTS
    configuration = bytes([9, 2, 9 + len(interface), 0, 1, 1, 0, 0x80, 50])
    descriptors = (DEVICE_DESCRIPTOR + configuration + interface).hex().upper()
    return (
        f"P: {DEVICE}\nN: bus/usb/001/002\nE: DEVNAME=/dev/bus/usb/001/002\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\n"
        f"E: BUSNUM=001\nE: DEVNUM=002\nA: idVendor=08e6\\n\nA: idProduct=3437\\n\nH: descriptors={descriptors}\n"
    )


def udev_properties(staged: Path, record: Path, action: str) -> dict[str, str]:
    """Run the machine's udev rules and ours on a device that does not exist; gives the properties it would have."""
    rules = staged / "usr/local/lib/udev/rules.d/60-cardd.rules"
    # A /run of its own: udevadm writes there, and reads /run/udev/rules.d among the others.
    script = (
        f"set -eu; mount -t tmpfs none /run; mkdir -p /run/udev/rules.d; cp {rules} /run/udev/rules.d/; "
        f"exec umockdev-run --device {record} -- udevadm test --action={action} /sys{DEVICE} 2>&1"
    )
    result = run("unshare", "--mount", "--propagation", "private", "bash", "-c", script)
    assert result.returncode == 0, result.stdout
    assert "Reading rules file: /run/udev/rules.d/60-cardd.rules" in result.stdout
    complaints = [line for line in result.stdout.splitlines() if "60-cardd.rules:" in line]
    assert complaints == []
    return dict(
        line.split("=", 1) for line in result.stdout.splitlines() if "=" in line and " " not in line.split("=")[0]
    )


@needs_root
@pytest.mark.parametrize(
    ("interface_class", "action", "starts"),
    [(0x0B, "add", True), (0x0B, "change", True), (0x0B, "remove", False), (0x03, "add", False), (0x08, "add", False)],
    ids=["reader", "reader-changed", "reader-gone", "keyboard", "storage"],
)
def test_a_readers_arrival_starts_cardd(
    staged: Path, tmp_path: Path, interface_class: int, action: str, starts: bool
) -> None:
    record = tmp_path / "device.umockdev"
    # A device that goes has its properties from udev's database; the rules no longer read them from it.
    remembered = "E: ID_USB_INTERFACES=:0b0000:\n" if action == "remove" else ""
    record.write_text(usb_device(interface_class).replace("A: ", f"{remembered}A: ", 1))
    properties = udev_properties(staged, record, action)
    assert properties["SUBSYSTEM"] == "usb"
    assert ("cardd.service" in properties.get("SYSTEMD_WANTS", "").split()) is starts
