"""Two homes behind routers and a middle between them, as network namespaces on this machine.

    home A (host) -- router A -- middle (hub, coturn) -- router B -- home B (client)
    10.61.1.2        NAT         192.0.2.10, .11         NAT         10.61.2.2         with IPv4 alone, or
    2001:db8:1::2    firewall    2001:db8:f::10          firewall    2001:db8:2::2     with IPv6 alone

The addresses (RFC 5737, RFC 3849, RFC 1918) mean something inside these namespaces only; none of them has a way out.
Names carry the process id of their maker, so that runs do not meet, and so that what a killed run left is swept.
"""

import contextlib
import ctypes
import enum
import os
import pathlib
import re
import socket
import subprocess
import threading

PREFIX = "sluice"
SERVER, SERVER_ALSO = "192.0.2.10", "192.0.2.11"
SERVER_6 = "2001:db8:f::10"


class Nat(enum.Enum):
    """How a router maps what its home sends. All of them let in only what answers."""

    FRIENDLY = "masquerade"  # IPv4; the port stays the same towards every destination (RFC 4787 §4.1)
    SYMMETRIC = "masquerade random,fully-random"  # IPv4; another port for each destination: no holes
    NONE = None  # IPv6, where every machine has an address of its own


def why_not():
    """Why namespaces cannot be used here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"{PREFIX}-{os.getpid()}-try"
    try:
        _run("ip", "netns", "add", name)
        try:
            _nft(name, "add table ip nat", "add chain ip nat out { type nat hook postrouting priority 100; }",
                 f"add rule ip nat out {Nat.SYMMETRIC.value}")
        finally:
            _run("ip", "netns", "delete", name)
    except (FileNotFoundError, RuntimeError) as error:
        return f"no network namespaces or nft here: {error}"
    return None


class Network:
    """The namespaces. A context manager: leaving it removes them with everything in them."""

    def __init__(self, nat=Nat.FRIENDLY):
        self._nat = nat
        self._all = [f"{PREFIX}-{os.getpid()}-{place}" for place in
                     ("home-a", "router-a", "middle", "router-b", "home-b", "elsewhere")]
        self.home_a, self.router_a, self.middle, self.router_b, self.home_b, self.elsewhere = self._all
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        sweep()
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _build(self):
        for name in self._all:
            _run("ip", "netns", "add", name)
            self._stack.callback(_run, "ip", "netns", "delete", name)
            # Addresses are usable at once: nobody else can have them here (RFC 4862 §5.4).
            _inside(name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
            _inside(name, "ip", "link", "set", "lo", "up")
        six = self._nat is Nat.NONE
        for address in [f"{SERVER_6}/128"] if six else [f"{SERVER}/32", f"{SERVER_ALSO}/32"]:
            _inside(self.middle, "ip", "address", "add", address, "dev", "lo")
        for router in (self.router_a, self.middle, self.router_b):
            _inside(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # The rest of the world: whatever is sent there vanishes. Without a route coturn ends a client's allocation as
        # soon as the client tries the private address of its peer.
        _wire(self.middle, "world", None, self.elsewhere, "net", None)
        _inside(self.middle, "ip", "link", "set", "world", "arp", "off")
        _inside(self.middle, "ip", "route", "add", "default", "dev", "world")
        connect = self._connect_home_6 if six else self._connect_home
        connect(self.home_a, self.router_a, 1)
        connect(self.home_b, self.router_b, 2)
        _nft(self.middle, "add table inet middle",
             *(f"add chain inet middle {hook} {{ type filter hook {hook} priority 0; }}"
               for hook in ("input", "output", "forward")))

    def _connect_home(self, home, router, number):
        _inside(home, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        near, far = f"198.51.100.{4 * number + 1}", f"198.51.100.{4 * number + 2}"
        _wire(home, "net", f"10.61.{number}.2/24", router, "home", f"10.61.{number}.1/24")
        _wire(router, "wan", f"{far}/30", self.middle, f"router-{number}", f"{near}/30")
        _inside(home, "ip", "route", "add", "default", "via", f"10.61.{number}.1")
        _inside(router, "ip", "route", "add", "default", "via", near)
        _nft(router, "add table ip nat", "add chain ip nat out { type nat hook postrouting priority 100; }",
             f'add rule ip nat out oifname "wan" {self._nat.value}')
        self._guard(router)

    def _connect_home_6(self, home, router, number):
        near, far = f"2001:db8:{number}1::1", f"2001:db8:{number}1::2"
        _wire(home, "net", f"2001:db8:{number}::2/64", router, "home", f"2001:db8:{number}::1/64")
        _wire(router, "wan", f"{far}/64", self.middle, f"router-{number}", f"{near}/64")
        _inside(home, "ip", "route", "add", "default", "via", f"2001:db8:{number}::1")
        _inside(router, "ip", "route", "add", "default", "via", near)
        _inside(self.middle, "ip", "route", "add", f"2001:db8:{number}::/64", "via", far)
        self._guard(router)

    @staticmethod
    def _guard(router):
        """What nobody inside asked for is dropped, before it can occupy a mapping that the home is about to need."""
        unasked = "ct state != { established, related } drop"
        _nft(router, "add table inet guard",
             *(rule for hook in ("input", "forward") for rule in (
                 f"add chain inet guard {hook} {{ type filter hook {hook} priority 0; }}",
                 f'add rule inet guard {hook} iifname "wan" meta l4proto ipv6-icmp accept',
                 f'add rule inet guard {hook} iifname "wan" {unasked}')))

    def lose(self, percent):
        """From now on so many of a hundred UDP datagrams that pass through the middle are lost."""
        self._middle_rule("forward", f"meta l4proto udp numgen random mod 100 < {percent} counter drop")

    def cut(self):
        """From now on nothing passes through the middle, and nothing reaches it."""
        self._middle_rule("input", 'iifname != "lo" drop')
        self._middle_rule("output", 'oifname != "lo" drop')
        self._middle_rule("forward", "drop")

    def cut_off_home_a(self):
        """From now on nothing passes between home A and the rest; not a word about it reaches either of them."""
        self._middle_rule("input", 'iifname "router-1" drop')
        self._middle_rule("output", 'oifname "router-1" drop')
        self._middle_rule("forward", 'iifname "router-1" drop')
        self._middle_rule("forward", 'oifname "router-1" drop')

    def heal(self):
        _nft(self.middle, "flush table inet middle")

    def dropped(self):
        """How many datagrams `lose` took."""
        rules = _inside(self.middle, "nft", "list", "table", "inet", "middle")
        return sum(map(int, re.findall(r"counter packets (\d+)", rules)))

    def forwarded_udp(self):
        """How many bytes of UDP the middle passed on since the first call."""
        rules = _inside(self.middle, "nft", "list", "table", "inet", "middle")
        if "comment \"passed\"" not in rules:
            self._middle_rule("forward", 'meta l4proto udp counter comment "passed"')
            return 0
        return int(re.search(r'bytes (\d+) comment "passed"', rules)[1])

    def _middle_rule(self, chain, rule):
        _nft(self.middle, f"add rule inet middle {chain} {rule}")


def connect(name, address, port, timeout=60):
    """A connected socket of a namespace: it stays there, whoever uses it."""
    made = []

    def make():  # in a thread of its own, as it is the thread that enters the namespace
        with open(f"/run/netns/{name}", "rb") as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0) != 0:
                made.append(OSError(ctypes.get_errno(), f"setns {name}"))
                return
        try:
            made.append(socket.create_connection((address, port), timeout=timeout))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def start_turn(crew, network, *, address=SERVER):
    """coturn in the middle, as STUN and TURN server; returns the options that name it."""
    folder = crew.folder()
    addresses = [SERVER, SERVER_ALSO] if address == SERVER else [address]
    listening = [word for each in addresses for word in ("--listening-ip", each)]
    turn = crew.start(
        "coturn", "turnserver", "-n", *listening, "--relay-ip", address, "--listening-port", 3478, "--lt-cred-mech",
        "--user", "sluice:relay", "--realm", "sluice.test", "--no-tls", "--no-dtls", "--no-cli", "--no-multicast-peers",
        "--pidfile", folder / "pid", "--userdb", folder / "users", "--log-file", "stdout", "--simple-log", "--verbose",
        "--fingerprint", netns=network.middle, cwd=folder)
    turn.wait_line(f"IPv{6 if ':' in address else 4}. UDP listener opened on")
    shown = f"[{address}]" if ":" in address else address
    return Turn(turn, f"{shown}:3478")


class Turn:
    def __init__(self, process, server):
        self.process = process
        self.stun = ["--stun", server]
        self.turn = ["--turn", f"turn:sluice:relay@{server}"]


def sweep():
    """Removes the namespaces of makers that no longer run."""
    for path in pathlib.Path("/run/netns").glob(f"{PREFIX}-*-*"):
        maker = path.name.split("-")[1]
        if maker.isdigit() and not os.path.exists(f"/proc/{maker}"):
            _run("ip", "netns", "delete", path.name)


def _wire(one, one_name, one_address, other, other_name, other_address):
    """Two namespaces joined by a veth pair, which goes with either of them.

    Bursts are cut into datagrams before they enter it, so that a rule sees, and drops, what a wire would carry.
    """
    _run("ip", "link", "add", one_name, "netns", one, "type", "veth", "peer", "name", other_name, "netns", other)
    for place, name, address in ((one, one_name, one_address), (other, other_name, other_address)):
        if address:
            _inside(place, "ip", "address", "add", address, "dev", name)
        _inside(place, "ip", "link", "set", name, "gso_max_segs", 1, "up")


def _nft(name, *rules):
    _inside(name, "nft", "-f", "-", input="\n".join(rules) + "\n")


def _inside(name, *command, **options):
    return _run("ip", "netns", "exec", name, *command, **options)


def _run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=30, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
