#!/usr/bin/python3
"""Moves 1 GiB over TCP through host and forward on loopback, and through `ssh -L` beside it, in turns.

CPU is user and system time of both ends of the tunnel while the bytes move; source and sink are processes of their own
and do not count. The `direct_` figures are source and sink without a tunnel: they show that these are not the limit.
"""

import functools

import measure
from harness import Crew


def move(route_class, direction, size, streams, *options):
    """One transfer over a fresh route."""
    with Crew() as crew:
        route = route_class(crew, measure.start_load_server(crew), *options)
        before = route.cpu_seconds()
        done = measure.load(crew, direction, route.port, size, streams)
        figures = {"mb_per_s": size / 1e6 / done["seconds"]}
        if route_class is not measure.DirectRoute:
            figures["cpu_s_per_gb"] = (route.cpu_seconds() - before) / (size / measure.GB)
        if route_class is measure.SluiceRoute:
            figures["peak_rss_mib"] = route.peak_rss_mib()
            assert route.path["kind"] == "direct" and route.path["fast"]
        return figures


def main():
    given = measure.arguments(__doc__, runs=5)
    size = (32 if given.quick else 1024) * measure.MIB
    for shape, direction, streams in (("download", "fetch", 1), ("upload", "push", 1), ("download_8", "fetch", 8)):
        def one(route_class, *options, direction=direction, streams=streams):
            return functools.partial(move, route_class, direction, size, streams, *options)

        measurements = {"": one(measure.SluiceRoute), "direct_": one(measure.DirectRoute)}
        if not given.without_ssh:
            measurements["ssh_"] = one(measure.SshRoute)
            measurements["ssh_aes_gcm_"] = one(measure.SshRoute, "-c", "aes128-gcm@openssh.com")
        measure.report("tunnel", shape, measure.alternate(given.runs, measurements), bytes=size, streams=streams,
                       runs=given.runs)


if __name__ == "__main__":
    main()
