"""How each peer program of this folder is started; all but ours come from the system's packages."""

import os
import pathlib
import shutil
import sys

from join import start_peer

HERE = pathlib.Path(__file__).resolve().parent
OURS = os.environ.get("INTEROP_PEER", "")
GOPATH = "/usr/share/gocode"


def ours(crew, role, count, size, *options):
    return start_peer(crew, "ours", OURS, role, count, size, *options)


def aiortc(crew, role, count, size, *order):
    return start_peer(crew, "aiortc", sys.executable, HERE / "aiortc_peer.py", role, count, size, *order)


def build_go(crew, source):
    """Compiles a Go program against the packaged libraries, offline; returns its path, which goes with the crew.

    The copy lies in a GOPATH of its own: only there does go resolve import paths that end in a version without modules.
    """
    scratch = crew.folder()
    place = scratch / "src" / source.name
    shutil.copytree(source, place)
    cache = pathlib.Path(os.environ.get("SLUICE_BUILD_DIR", scratch)).resolve() / "go-cache"
    environment = {"GO111MODULE": "off", "GOPATH": f"{scratch}:{GOPATH}", "GOCACHE": str(cache)}
    crew.run("go", "build", "-o", scratch / source.name, ".", cwd=place, env=environment, timeout=600)
    return scratch / source.name


def pion(crew, program, role, count, size, *order):
    return start_peer(crew, "pion", program, role, count, size, *order)


def chromium(crew, role, count, size, *order):
    """Its profile lies in a folder of the crew."""
    return start_peer(crew, "chromium", "node", "chromium_peer.mjs", role, count, size, *order,
                      cwd=HERE.parent / "browser", env={"TMPDIR": str(crew.folder())})
