"""What it ran on."""

import os
import platform
import re
import subprocess
import time

from .processes import lines


def processor():
    for line in lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_mib():
    for line in lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def output_of(command):
    """The first line that the command prints, on whichever stream."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    except OSError:
        return ""
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")


def system_call_ns(count=200000):
    """What the cheapest system call takes from here: a measure of the machine."""
    start = time.perf_counter_ns()
    for _ in range(count):
        pass
    empty = time.perf_counter_ns() - start
    start = time.perf_counter_ns()
    for _ in range(count):
        os.getppid()
    return max(0, time.perf_counter_ns() - start - empty) / count


def describe():
    return dict(
        kernel=platform.release(), cpus=len(os.sched_getaffinity(0)), processor=processor(), memory_mib=memory_mib(),
        load_before=os.getloadavg()[0], virtual=any("hypervisor" in line for line in lines("/proc/cpuinfo")),
        system_call_ns=round(system_call_ns(), 1), max_dgram_qlen=int(lines("/proc/sys/net/unix/max_dgram_qlen")[0]))


def versions(candidates):
    """The version of each program, by the program's name."""
    found = {"cc": output_of(["cc", "--version"])}
    for candidate in candidates:
        if candidate.version:
            name = os.path.basename(candidate.version[0])
            if name not in found:
                found[name] = re.sub(r"\s*(https?://\S+|\d{4}/\d\d/\d\d -)", "", output_of(candidate.version)).strip()
    return found
