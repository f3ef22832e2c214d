"""Names as a test wants them: a name server of its own, and programs that see no other one."""

import ipaddress
import json
import os
import pathlib
import subprocess
import sys

SERVER = pathlib.Path(__file__).with_name("dns_server.py")


def why_not():
    """Why programs cannot be given name servers of their own here, or None."""
    if os.geteuid() != 0:
        return "a name server of one's own needs root"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, timeout=30, check=False)
    return f"no mount namespaces here: {done.stderr.strip()}" if done.returncode != 0 else None


class Names:
    """A running name server; `prefix` are the words that run a program which asks it alone.

    It has an address of loopback that no other test of this machine uses, since resolv.conf names no ports.
    """

    def __init__(self, crew, zone):
        folder = crew.folder()
        address = str(ipaddress.IPv4Address("127.64.0.0") + os.getpid() % 2**22)
        (folder / "zone.json").write_text(json.dumps(zone), encoding="utf-8")
        (folder / "resolv.conf").write_text(f"nameserver {address}\n", encoding="utf-8")
        (folder / "hosts").write_text("127.0.0.1 localhost hosts.test\n::1 localhost\n", encoding="utf-8")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n", encoding="utf-8")
        mounts = " && ".join(f"mount --bind {folder / name} /etc/{name}"
                             for name in ("resolv.conf", "hosts", "nsswitch.conf"))
        self.prefix = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
        self.process = crew.start("names", sys.executable, SERVER, address, folder / "zone.json")
        self.process.wait_event("listening")

    def asked(self, name, kind="A"):
        """How often the server was asked for it so far."""
        return sum(event["name"] == name and event["type"] == kind for event in self.process.events
                   if event["event"] == "query")
