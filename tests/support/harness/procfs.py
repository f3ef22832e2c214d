"""What /proc tells about a running process."""

import os

_TICKS = os.sysconf("SC_CLK_TCK")


def _status_bytes(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def rss(pid):
    """Resident memory in bytes, libraries included."""
    return _status_bytes(pid, "VmRSS")


def peak_rss(pid):
    """The largest resident memory so far, in bytes."""
    return _status_bytes(pid, "VmHWM")


def descriptors(pid):
    """How many file descriptors it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    """User and system time of all its threads so far, in steps of 10 ms."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cpu_seconds_of_tree(pid):
    """The same for a process and its descendants, those that were reaped included."""
    total = 0
    for each in [*descendants(pid), pid]:  # parents last: they have the time of whoever ends meanwhile
        try:
            total += sum(map(int, _stat(each)[11:15])) / _TICKS
        except (FileNotFoundError, ProcessLookupError):
            assert each != pid, f"process {pid} has ended"
    return total


def largest_send_buffer():
    """How far in bytes the kernel lets a TCP socket write ahead of a receiver that takes nothing."""
    return _largest("tcp_wmem")


def largest_receive_buffer():
    """How much in bytes the kernel takes in for a TCP socket that nobody reads from."""
    return _largest("tcp_rmem")


def _largest(sizes):
    with open(f"/proc/sys/net/ipv4/{sizes}", encoding="ascii") as limits:
        return int(limits.read().split()[2])


def descendants(pid):
    """The process ids of its children and theirs, deepest first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended while we looked
    found = []
    level = children.get(pid, [])
    while level:
        found = level + found
        level = [child for parent in level for child in children.get(parent, [])]
    return found


def _stat(pid):
    """The fields behind the program's name, which may contain blanks and brackets."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()
