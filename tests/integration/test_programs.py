"""Programs that people use, unchanged, through the tunnel."""

import shlex

from harness import Tunnel, services, sluice, sluice_binary, streams

MIB = 1 << 20


def test_curl_fetches_a_large_file_unchanged(crew):
    folder = crew.folder()
    digest = streams.write_random_file(folder / "sent", 64 * MIB)
    _, http = services.start_server(crew, "http", folder)
    tunnel = Tunnel.open(crew, http)
    crew.run("curl", "-sSf", "-o", folder / "received", f"http://127.0.0.1:{tunnel.port}/sent")
    assert streams.sha256_of_file(folder / "received") == digest


def test_curl_fetches_many_files_at_once_from_nginx(crew):
    folder = crew.folder(open_to_all=True)
    digests = {f"file{n}": streams.write_random_file(folder / f"file{n}", MIB + n, seed=n) for n in range(32)}
    tunnel = Tunnel.open(crew, services.start_nginx(crew, folder))
    received = crew.folder()
    crew.run("curl", "-sSf", "--parallel", "--parallel-max", 32, "--output-dir", received, "--remote-name-all",
             f"http://127.0.0.1:{tunnel.port}/file[0-31]")
    assert {path.name: streams.sha256_of_file(path) for path in received.iterdir()} == digests


def test_ssh_runs_commands_over_stdio(crew):
    sshd = services.start_sshd(crew)
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"ssh=127.0.0.1:{sshd.port}")
    code = sluice.wait_code(host)
    folder = crew.folder()
    digest = streams.write_random_file(folder / "sent", 16 * MIB)

    def ssh(*command):
        proxy = [sluice_binary(), "forward", code, "--stdio", "ssh", *hub.options]
        return sshd.ssh("-o", f"ProxyCommand={shlex.join(proxy)}", "sluice-test", *command)

    assert crew.run(*ssh("echo", "hello")).stdout == "hello\n"
    with open(folder / "sent", "rb") as sent:  # 16 MiB there, a line back
        assert crew.run(*ssh("sha256sum"), stdin=sent).stdout.split()[0] == digest
    crew.run("sh", "-c", f"{shlex.join(ssh('cat', str(folder / 'sent')))} > {folder / 'received'}")
    assert streams.sha256_of_file(folder / "received") == digest
    failed = crew.run(*ssh("exit", "3"), check=False)
    assert failed.returncode == 3, failed.stderr


def test_ssh_logs_in_through_a_forwarded_port(crew):
    sshd = services.start_sshd(crew)
    tunnel = Tunnel.open(crew, sshd.port)
    assert crew.run(*sshd.ssh("-p", tunnel.port, "127.0.0.1", "echo hello")).stdout == "hello\n"


def test_postgresql_serves_psql_and_pgbench(crew):
    postgres = services.start_postgres(crew)
    tunnel = Tunnel.open(crew, f"db=127.0.0.1:{postgres.port}", listens=("0:db",))

    def client(program, *arguments):
        return crew.run(*postgres.client(program, tunnel.port, *arguments, "postgres"))

    assert client("psql", "-Atc", "select sum(n) from generate_series(1, 100000) as n").stdout == "5000050000\n"
    client("pgbench", "--initialize", "--quiet")
    result = client("pgbench", "--client", 8, "--transactions", 200).stdout
    assert "number of transactions actually processed: 1600/1600" in result
    assert "number of failed transactions: 0" in result
    # Every transaction left a row: what pgbench counted did arrive.
    assert client("psql", "-Atc", "select count(*) from pgbench_history").stdout == "1600\n"


def test_redis_serves_redis_benchmark(crew):
    redis = services.start_redis(crew)
    tunnel = Tunnel.open(crew, redis)
    tests = ["set", "get", "incr", "lrange_100"]
    result = crew.run("redis-benchmark", "-p", tunnel.port, "-n", 5000, "-c", 50, "-d", 1024, "-q", "-t",
                      ",".join(tests)).stdout
    assert result.lower().count("requests per second") >= len(tests), result
    assert "error" not in result.lower()
    # The keys of `incr` are one counter: all 5,000 requests were carried out once.
    assert crew.run("redis-cli", "-p", tunnel.port, "get", "counter:__rand_int__").stdout.strip() == "5000"
