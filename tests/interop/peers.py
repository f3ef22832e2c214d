"""How each peer program of this folder is started; all but ours come from the system's packages."""

import os
import pathlib
import shutil
import subprocess
import sys

from join import PeerProcess

HERE = pathlib.Path(__file__).resolve().parent
OURS = os.environ.get("INTEROP_PEER", "")
GOPATH = "/usr/share/gocode"


def ours(role, count, size, *options):
    return PeerProcess("ours", [OURS, role, str(count), str(size), *options])


def aiortc(role, count, size):
    return PeerProcess("aiortc", [sys.executable, str(HERE / "aiortc_peer.py"), role, str(count), str(size)])


def build_go(source, scratch):
    """Compiles a Go program against the packaged libraries, offline; returns the program's path.

    The copy lies in a GOPATH of its own: only there does go resolve import paths that end in a version without modules.
    """
    place = scratch / "src" / source.name
    shutil.copytree(source, place)
    cache = pathlib.Path(os.environ.get("SLUICE_BUILD_DIR", scratch)).resolve() / "go-cache"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": f"{scratch}:{GOPATH}", "GOCACHE": str(cache)}
    subprocess.run(["go", "build", "-o", scratch / source.name, "."], cwd=place, env=environment, check=True)
    return scratch / source.name


def pion(program, role, count, size):
    return PeerProcess("pion", [str(program), role, str(count), str(size)])


def chromium(role, count, size):
    folder = HERE.parent / "browser"
    return PeerProcess("chromium", ["node", "chromium_peer.mjs", role, str(count), str(size)], cwd=folder)
