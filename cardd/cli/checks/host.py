"""Checks that need no daemon: pcscd, rights, the policy of the bus, the clock."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cardd
from cardd.cli.checks.model import Finding, Host, State
from cardd.cli.i18n import _

_POLICY_PLACES = ("usr/share/dbus-1/system.d", "etc/dbus-1/system.d", "usr/local/share/dbus-1/system.d")
_POLICY = "org.cardd1.conf"
_POLKIT_PLACES = ("usr/lib/polkit-1/polkitd", "usr/libexec/polkitd")
_ACTIONS = "usr/share/polkit-1/actions/org.cardd1.policy"

_OPENSC_MODULE = "opensc-pkcs11.module"
_P11_KIT_PLACES = ("usr/share/p11-kit/modules", "usr/local/share/p11-kit/modules")
_P11_KIT_OVERRIDES = "etc/pkcs11/modules"
_OPENSC_CONF = "etc/opensc/opensc.conf"
_KEEPS_OFF = re.compile(r"^\s*(?:enable-in|disable-in)\s*:|^\s*ignored_readers\s*=", re.MULTILINE)
"""In a module's file of p11-kit (pkcs11.conf(5)): programs that may load it, or may not; in opensc.conf: readers."""

_TRACES = (
    "var/lib/systemd/timesync/clock",
    "var/lib/systemd/random-seed",
    "var/lib/dpkg/status",
    "var/log/journal",
    "var/log/wtmp",
    "var/lib/cardd",
)
"""Files and folders that a computer in use writes often: their times tell what the clock said lately."""

_SLACK = timedelta(days=1)
_LONG_UNUSED = timedelta(days=400)


def check_pcscd(host: Host) -> Finding:
    """Whether pcscd listens."""
    name = "pcscd"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(host.pcscd_socket))
    except PermissionError:
        return Finding(
            name,
            State.PROBLEM,
            _("The smart card service pcscd lets nobody in ({socket}).").format(socket=host.pcscd_socket),
            _("Look at the rights of that file and of its folder."),
        )
    except OSError:
        if not any((host.root / place).exists() for place in ("usr/sbin/pcscd", "usr/local/sbin/pcscd")):
            return Finding(
                name,
                State.PROBLEM,
                _("The smart card service pcscd is not installed."),
                _("Install it: `sudo apt install pcscd`."),
            )
        return Finding(
            name,
            State.PROBLEM,
            _("The smart card service pcscd is off."),
            _("Switch it on: `sudo systemctl enable --now pcscd.socket`."),
        )
    return Finding(name, State.OK, _("The smart card service pcscd answers."))


def check_opensc(host: Host) -> Finding:
    """Whether OpenSC's PKCS#11 module is offered to every program, which then keeps the card from cardd."""
    name = "opensc"
    offered = [host.root / place / _OPENSC_MODULE for place in (*_P11_KIT_PLACES, _P11_KIT_OVERRIDES)]
    if not any(file.exists() for file in offered):
        return Finding(name, State.OK, _("OpenSC is not offered to the programs of this computer."))
    if any(_KEEPS_OFF.search(_text(file)) for file in (*offered, host.root / _OPENSC_CONF)):
        return Finding(name, State.OK, _("OpenSC is kept off by a setting of this computer."))
    return Finding(
        name,
        State.WARNING,
        _("OpenSC is offered to every program: a browser that loads it keeps the card from cardd."),
        _("Keep it off the reader of the CPS; docs/sharing.md tells how."),
    )


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:  # not there, or not for this user: then it keeps nothing off that we know of
        return ""


def check_rights(host: Host) -> Finding:
    """Whether polkit can be asked who may do what."""
    name = "rights"
    if not any((host.root / place).exists() for place in _POLKIT_PLACES):
        return Finding(
            name,
            State.PROBLEM,
            _("polkit, which decides who may use a card, is not installed."),
            _("Install it: `sudo apt install polkitd`."),
        )
    if not (host.root / _ACTIONS).exists():
        return Finding(
            name,
            State.PROBLEM,
            _("polkit does not know cardd's actions ({file}).").format(file=f"/{_ACTIONS}"),
            _("Install cardd again."),
        )
    return Finding(name, State.OK, _("polkit is installed and knows cardd's actions."))


def check_policy(host: Host) -> Finding:
    """Whether the policy of the system bus for cardd is installed."""
    name = "bus-policy"
    if any((host.root / place / _POLICY).exists() for place in _POLICY_PLACES):
        return Finding(name, State.OK, _("The policy of the message bus is installed."))
    return Finding(
        name,
        State.PROBLEM,
        _("The policy of the message bus for cardd ({file}) is missing.").format(file=_POLICY),
        _("Install cardd again, then run `sudo systemctl reload dbus`."),
    )


def check_clock(host: Host, valid_from: Iterable[datetime], valid_until: Iterable[datetime]) -> Finding:
    """Whether the clock can be right.

    Args:
        host: its clock and its files.
        valid_from: when the accepted authorities became valid.
        valid_until: when they end.
    """
    name = "clock"
    remedy = _("Set it: `sudo timedatectl set-ntp true`, or `sudo timedatectl set-time …`.")
    shown = f"{host.now:%Y-%m-%d %H:%M} UTC"
    installed, traces = _time_of(Path(cardd.__file__)), [_time_of(host.root / trace) for trace in _TRACES]
    earliest = max((moment for moment in (installed, *traces, *valid_from) if moment is not None), default=None)
    if earliest is not None and host.now < earliest - _SLACK:
        return Finding(
            name,
            State.PROBLEM,
            _("The clock is slow: it says {now}, but something here is from {then}.").format(
                now=shown, then=f"{earliest:%Y-%m-%d}"
            ),
            remedy,
        )
    last = max(valid_until, default=None)
    if last is not None and host.now > last:
        return Finding(
            name,
            State.PROBLEM,
            _("The clock says {now}, when every authority has expired.").format(now=shown),
            remedy,
        )
    newest = max((moment for moment in traces if moment is not None), default=None)
    if newest is not None and host.now > newest + _LONG_UNUSED:
        return Finding(
            name,
            State.WARNING,
            _("The clock says {now}, but the newest trace on this disk is from {then}.").format(
                now=shown, then=f"{newest:%Y-%m-%d}"
            ),
            remedy,
        )
    return Finding(name, State.OK, _("The clock says {now}, which can be right.").format(now=shown))


def _time_of(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None  # not there, or with no time that means anything
