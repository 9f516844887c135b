"""What the machine is made of, kept between runs: a Debian 12 with the packages that cardd needs, and Python packages.

Each is in a directory named by a digest of what it was made from: another list of packages makes another image, and the
one before is removed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.system_test.obstacles import RELEASE

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE_LIST = REPOSITORY / "scripts" / "debian-packages"
LOCKS = tuple(REPOSITORY / "requirements" / f"{name}.lock" for name in ("build", "runtime"))

# Beside what scripts/debian-packages calls `host`.
MACHINE_PACKAGES = (
    "systemd-sysv",  # /sbin/init
    "libpam-systemd",  # logind's sessions
    "dbus-user-session",  # a user manager with its bus
    "polkitd",
    "vsmartcard-vpcd",  # the virtual reader that the simulated card sits in
    "openssh-server",  # sessions over the network
    "openssh-client",
    "iproute2",  # an address that is not localhost
)
# Nobody reads them there.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


# Downloads as apt does, by its proxies and credentials.
APT_HELPER = "/usr/lib/apt/apt-helper"


class ImageError(Exception):
    """The image cannot be made; the text says why."""


class Unreachable(ImageError):
    """Debian's archive cannot be reached from here: nothing is wrong with the image."""


def debian_image(cache: Path) -> Path:
    """Give the root directory of a Debian 12 that was never booted; made by mmdebstrap where it is not there yet.

    Raises:
        Unreachable: Debian's archive is.
        ImageError: apt knows no Debian sources, or mmdebstrap failed.
    """
    packages = (*host_packages(PACKAGE_LIST.read_text()), *MACHINE_PACKAGES)

    def make(root: Path) -> None:
        options = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
        sources = _sources()
        require_reachable(sources[0])
        included = f"--include={','.join(packages)}"
        _run("mmdebstrap", "--quiet", "--variant=minbase", *options, included, RELEASE, str(root), *sources)
        # The machine's own: nobody logs in by a password, and each boot has another identity.
        (root / "etc/machine-id").write_text("")

    return _kept(cache, "image", [RELEASE, *packages, *_LEFT_OUT], make)


def python_packages(cache: Path) -> Path:
    """Give a directory with the packages of the lock, as scripts/install-host wants them; downloaded where missing.

    Raises:
        ImageError: pip failed.
    """

    def make(wheels: Path) -> None:
        locks = [argument for lock in LOCKS for argument in ("-r", str(lock))]
        # No build isolation: what is only a source is not built here, and pip must not fetch what would build it.
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        _run(*pip, "--require-hashes", "--no-build-isolation", "--dest", str(wheels), *locks)

    return _kept(cache, "wheels", [lock.read_text() for lock in LOCKS], make)


def host_packages(listing: str) -> tuple[str, ...]:
    """The packages that scripts/debian-packages lists for every machine that cardd is installed on."""
    rows = (line.partition("#")[0].split() for line in listing.splitlines())
    return tuple(row[0] for row in rows if len(row) == 2 and row[1] == "host")


def debian_sources(targets: str) -> tuple[str, ...]:
    """Lines of sources.list for the Debian archives that this machine's apt is configured for.

    Args:
        targets: lines of `apt-get indextargets`: origin, codename, URI, release, component, separated by "|".
    """
    found: dict[str, None] = {}
    for line in targets.splitlines():
        origin, codename, uri, release, component = line.split("|")
        if origin == "Debian" and codename.partition("-")[0] == RELEASE:
            found[f"deb {uri} {release} {component}"] = None
    return tuple(found)


def require_reachable(source: str) -> None:
    """Try the first thing that apt reads of an archive.

    Args:
        source: a line of sources.list.

    Raises:
        Unreachable: it cannot be had.
    """
    _, uri, release, *_ = source.split()
    wanted = f"{uri.rstrip('/')}/dists/{release}/InRelease"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _run(APT_HELPER, "download-file", wanted, f"{scratch}/InRelease")
        except ImageError as error:
            raise Unreachable(f"{wanted} cannot be reached: {error}") from error


def _sources() -> tuple[str, ...]:
    shown = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    ask = ("apt-get", "indextargets", "--format", shown, "Created-By: Packages")
    sources = debian_sources(_run(*ask))
    if not sources:
        # Who the sources are of is known once they have been read.
        _run("apt-get", "update", "-qq")
        sources = debian_sources(_run(*ask))
    if not sources:
        raise ImageError(f"apt has no source of Debian's for {RELEASE} here")
    return sources


def _kept(cache: Path, kind: str, made_from: list[str], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:16]
    kept = cache / f"{kind}-{digest}"
    if kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    print(f"system-test: making {kept}", flush=True)
    # Renamed into its place when it is whole.
    with tempfile.TemporaryDirectory(prefix=f".{kind}-", dir=cache) as scratch:
        making = Path(scratch) / kind
        making.mkdir(mode=0o755)
        make(making)
        for former in cache.glob(f"{kind}-*"):
            shutil.rmtree(former)
        making.rename(kept)
    return kept


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise ImageError(f"{command[0]} failed:\n{said}")
    return done.stdout
