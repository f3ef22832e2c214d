"""Real services in the foreground, on loopback, with everything of theirs in a temporary folder.

Those that cannot take port 0 are given a port that was free a moment ago, and another one when somebody was faster.
"""

import dataclasses
import getpass
import glob
import os
import pathlib
import shutil
import socket
import sys

from .crew import bound_socket
from .process import Ended, Process

SERVERS = pathlib.Path(__file__).with_name("servers.py")
ATTEMPTS = 5


def start_server(crew, kind, *arguments, bind="127.0.0.1", name=None, **options):
    """One of servers.py; returns its process and port."""
    server = crew.start(name or kind, sys.executable, SERVERS, "--bind", bind, kind, *arguments, **options)
    return server, server.wait_event("listening")["port"]


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def port_free_now():
    with bound_socket() as reserved:
        return reserved.getsockname()[1]


def start_on_free_port(start):
    """Calls `start(port)` until the service comes up: a port may be taken between the choice and the start."""
    for attempt in range(ATTEMPTS):
        try:
            return start(port_free_now())
        except Ended:
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def start_nginx(crew, root):
    """nginx serving a folder; returns its port."""
    folder = crew.folder()

    def start(port):
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr notice;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; sendfile on; }}
            }}""", encoding="utf-8")
        nginx = crew.start("nginx", "nginx", "-c", configuration, "-p", folder, "-e", "stderr")
        nginx.wait_line("using the \"epoll\" event method")
        return port

    return start_on_free_port(start)


def start_redis(crew):
    """redis-server without persistence; returns its port."""
    folder = crew.folder()

    def start(port):
        redis = crew.start("redis", "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "",
                           "--appendonly", "no", "--dir", folder)
        redis.wait_line("Ready to accept connections")
        return port

    return start_on_free_port(start)


@dataclasses.dataclass
class Sshd:
    port: int
    process: Process
    client_options: list  # for ssh: key, known hosts, user, nothing from the user's own configuration

    def ssh(self, *arguments):
        return ["ssh", *self.client_options, *map(str, arguments)]


def start_sshd(crew):
    """sshd with a host key and one user key of its own, for the user who runs the test."""
    folder = crew.folder()
    folder.chmod(0o700)
    for key in ("host", "user"):
        crew.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    shutil.copy(folder / "user.pub", folder / "authorized")
    if os.geteuid() == 0:
        # Where root's sshd confines itself before a login. Debian makes it at boot, which containers skip.
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)

    def start(port):
        configuration = folder / "sshd_config"
        configuration.write_text("\n".join([
            f"ListenAddress 127.0.0.1:{port}", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized",
            "PidFile none", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password", "StrictModes no", "AllowTcpForwarding yes", "PrintMotd no",
            "MaxStartups 100", ""]), encoding="utf-8")
        process = crew.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", configuration)
        process.wait_line("Server listening")
        return port, process

    port, process = start_on_free_port(start)
    public = (folder / "host.pub").read_text(encoding="utf-8")
    (folder / "known").write_text(f"sluice-test {public}", encoding="utf-8")
    options = ["-F", "none", "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
               "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "HostKeyAlias=sluice-test",
               "-o", "StrictHostKeyChecking=yes", "-l", getpass.getuser()]
    return Sshd(port, process, options)


@dataclasses.dataclass
class Postgres:
    port: int
    binaries: pathlib.Path
    user: str = "sluice"

    def client(self, program, port, *arguments):
        """psql, pgbench… against a port of loopback."""
        return [self.binaries / program, "-h", "127.0.0.1", "-p", port, "-U", self.user, *arguments]


def start_postgres(crew):
    """A PostgreSQL cluster in a temporary folder. It refuses to run as root, who lends it the user `postgres`."""
    binaries = pathlib.Path(max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4])))
    folder = crew.folder(open_to_all=True)
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--pdeathsig", "KILL"]
    data = folder / "data"
    crew.run(*as_user, binaries / "initdb", "-D", data, "-U", "sluice", "--auth", "trust", "--no-sync", cwd=folder)

    def start(port):
        process = crew.start("postgres", *as_user, binaries / "postgres", "-D", data, "-p", port, "-k", folder,
                             "-h", "127.0.0.1", "-c", "fsync=off", "-c", "max_connections=50", cwd=folder)
        # Before it is killed: only an orderly end reaps its many processes.
        crew.at_end(lambda: process.running and process.stop())
        process.wait_line("database system is ready to accept connections")
        return port

    return Postgres(start_on_free_port(start), binaries)
