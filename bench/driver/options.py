"""How much is measured."""

import sys
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Options:
    """Counts of a run; each part can be left out with 0 rounds."""

    rounds: int = 15                # of new connections
    connections: int = 2000         # of one measurement
    at_once: int = 64
    crowd: int = 512                # at once where system calls are counted with all on one core
    warm: int = 15000               # connections of each kind before anything is measured, for a JVM
    latency_rounds: int = 5
    latency_connections: int = 1000
    after_rounds: int = 3
    requests: int = 30000
    download_bytes: int = 512 << 20
    calls: int = 2000
    memory_connections: int = 30000
    rest_seconds: float = 4         # before memory is looked at
    idle: int = 16000
    pending: int = 17500
    first: tuple = (1000, 9000, 90000)  # connections of a proxy that has just been started, one measurement after the other
    first_rounds: int = 3
    starts: int = 11
    thread_rounds: int = 9


FULL = Options()

QUICK = Options(rounds=3, connections=1000, warm=5000, latency_rounds=2, latency_connections=300, after_rounds=1, requests=10000,
                download_bytes=128 << 20, calls=500, memory_connections=3000, rest_seconds=1, idle=1000, pending=2000,
                first=(1000, 4000), first_rounds=1, starts=3, thread_rounds=3)

# Measures nothing, but goes through all of it: for the test that this still runs.
TINY = Options(rounds=1, connections=50, warm=50, latency_rounds=1, latency_connections=20, after_rounds=1, requests=200,
               download_bytes=1 << 20, calls=50, memory_connections=100, rest_seconds=0, idle=50, pending=50,
               first=(20, 30), first_rounds=1, starts=1, thread_rounds=1)

SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}

# step: the option without which it does not run
NEEDS = {"new": "rounds", "latency": "latency_rounds", "after": "after_rounds", "calls": "calls", "memory": "memory_connections",
         "first": "first_rounds", "start": "starts", "threads": "thread_rounds"}

STEPS = tuple(NEEDS)


def only(options, steps):
    """The options with all other steps left out; ends the run when there is no such step."""
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        sys.exit("bench: no step is named %s; there are %s" % (unknown[0], ", ".join(STEPS)))
    return replace(options, **{NEEDS[step]: 0 for step in STEPS if step not in steps})


def fitting(options, limit):
    """What fits into a limit of open descriptors: a proxy that copies has two for each connection."""
    room = limit - 500
    return replace(options, idle=min(options.idle, room // 2), pending=min(options.pending, room))
