#!/usr/bin/python3
"""Connections through the tunnel: how many a second (opened, one echo, closed), and what an open one costs in memory.

Memory is the growth of host and forward together, from the idle tunnel to 5,000 open connections that have each had one
echo. Beside the rate the same through `ssh -L`, and without a tunnel, in turns.
"""

import functools

import measure
from harness import Crew

IN_FLIGHT = 64


def connect(route_class, count):
    with Crew() as crew:
        route = route_class(crew, measure.start_load_server(crew))
        measure.load(crew, "connect", route.port, IN_FLIGHT, IN_FLIGHT)
        before = route.cpu_seconds()
        done = measure.load(crew, "connect", route.port, count, IN_FLIGHT)
        figures = {"connections_per_s": count / done["seconds"]}
        if route_class is not measure.DirectRoute:
            figures["cpu_us_per_connection"] = (route.cpu_seconds() - before) / count * 1e6
        return figures


def hold(count):
    with Crew() as crew:
        route = measure.SluiceRoute(crew, measure.start_load_server(crew))
        measure.load(crew, "connect", route.port, IN_FLIGHT, IN_FLIGHT)
        before = route.rss()
        holder = crew.start("holder", measure.LOAD, "hold", route.port, count)
        assert holder.wait_event("open", timeout=measure.LONG)["count"] == count
        return {"rss_kib_per_connection": (route.rss() - before) / 1024 / count}


def main():
    given = measure.arguments(__doc__, runs=5)
    count, held = (500, 500) if given.quick else (20_000, 5_000)
    rates = {"": functools.partial(connect, measure.SluiceRoute, count),
             "direct_": functools.partial(connect, measure.DirectRoute, count)}
    if not given.without_ssh:
        rates["ssh_"] = functools.partial(connect, measure.SshRoute, count // 10)
    figures = measure.alternate(given.runs, rates)
    figures |= measure.alternate(given.runs, {"": functools.partial(hold, held)})
    measure.report("tunnel-connect", "echo", figures, connections=count, in_flight=IN_FLIGHT, held=held,
                   runs=given.runs)


if __name__ == "__main__":
    main()
