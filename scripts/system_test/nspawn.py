"""How systemd-nspawn is called: what it leaves behind stays in a mount namespace of its own."""

from __future__ import annotations

from pathlib import Path

# nspawn keeps locks and propagation points there, and clears them only where it is a tmpfs; in a container it may not
# be one. "$@": what follows.
_ALONE = (
    'mkdir -p /run/systemd/nspawn && mount -t tmpfs -o mode=0755 none /run/systemd/nspawn && exec systemd-nspawn "$@"'
)


def nspawn(*arguments: str) -> list[str]:
    """The command line that runs systemd-nspawn.

    Without a network but its own loopback: pcscd's virtual reader listens on a fixed port. Unregistered: machinectl's
    daemon need not run here.

    Args:
        arguments: what is to be run, and from where.
    """
    here = ["--quiet", "--register=no", "--private-network", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
    if not Path("/run/systemd/system").is_dir():
        # No systemd that could give it a scope.
        here.append("--keep-unit")
    # SIGTERM shuts the machine down, also when who started it is killed.
    alone = ["setpriv", "--pdeathsig=TERM", "--", "unshare", "--mount", "--propagation=private", "--"]
    return [*alone, "sh", "-c", _ALONE, "nspawn", *here, *arguments]
