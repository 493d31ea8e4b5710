"""The steps of a run, in order."""

from dataclasses import replace

from . import connections, established, first, memory, startup, syscalls, threads
from .candidate import BOTH
from .ours import DIRECT, NOT_CONFINED, peekpass
from .stage import Stage, say

NO_AOT = "-XX:AOTMode=off"

# Start-up and memory do not depend on the method, but for the one that has most to remember.
REMEMBERED = ("peekpass persistent", "peekpass acknowledged")


def side_by_side(stage, candidates, counts):
    """What is measured in turn, all candidates running."""
    records = []
    if not (counts.rounds or counts.latency_rounds or counts.after_rounds or counts.calls):
        return records
    stage.start(candidates, counts.warm)
    if counts.rounds:
        records += connections.measure(stage, "new", counts.rounds, BOTH, counts.connections, counts.at_once)
    if counts.latency_rounds:
        records += connections.measure(stage, "latency", counts.latency_rounds, ("http", "tls"), counts.latency_connections, 1)
    if counts.after_rounds:
        records += established.measure(stage, counts.after_rounds, counts.requests, counts.download_bytes)
    if counts.calls:
        for at_once in (1, counts.at_once):
            records += syscalls.measure(stage, counts.calls, at_once)
        records += syscalls.measure(stage, counts.calls, counts.crowd, crowded=True)
        records += established.count_calls(stage, counts.requests)
        say("system calls: counted" if any(record["total"] for record in records if record["step"] == "calls")
            else "system calls: neither perf nor strace may count them here")
    stage.end_players()
    return records


def starters(candidates, program):
    """As a user starts it, with the look whether the sources have changed; beside it the peers."""
    ours = replace(peekpass("persistent", program), environment={})
    free = replace(peekpass("persistent", program, confinement="off"), name="./peekpass run" + NOT_CONFINED, environment={})
    without = replace(ours, name="./peekpass run, no AOT cache", environment={"PEEKPASS_JAVA_OPTS": NO_AOT})
    others = [candidate for candidate in candidates if candidate.command and not candidate.java]
    return [replace(ours, name="./peekpass run"), free, without, *others]


def run(candidates, counts, program):
    """All records of a run."""
    with Stage() as stage:
        records = side_by_side(stage, candidates, counts)
        if counts.memory_connections:
            alone = [candidate for candidate in candidates
                     if candidate.name != DIRECT and (not candidate.java or candidate.name in REMEMBERED)]
            records += memory.measure(stage, alone, counts.memory_connections, counts.idle, counts.pending, counts.rest_seconds)
        if counts.first_rounds:
            ours = [candidate for candidate in candidates if candidate.name in REMEMBERED]
            records += first.measure(stage, ours, counts.first, counts.first_rounds)
        if counts.starts:
            records += startup.measure(stage, starters(candidates, program), counts.starts)
    if counts.thread_rounds:
        with Stage(split=False) as stage:
            records += threads.measure(
                stage, lambda number: peekpass("persistent", program, number, " %d loops" % number),
                counts.thread_rounds, counts.connections, counts.warm)
    return records
