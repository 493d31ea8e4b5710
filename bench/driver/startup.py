"""Start-up: from exec until it listens."""

import socket
import time

from .processes import Session
from .stage import say

PATIENCE_SECONDS = 30
STEP_SECONDS = 0.001


def connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def once(stage, candidate):
    """Milliseconds, on all cores; None when it does not start."""
    command, ports, log = stage.prepared(candidate)
    port = ports[candidate.port_of(candidate.kinds[0])]
    start = time.monotonic()
    session = Session(command, log, None, candidate.environment)
    try:
        while not connects(port):
            if not session.alive() or time.monotonic() - start > PATIENCE_SECONDS:
                say("%s has not started: %s" % (candidate.name, session.said()))
                return None
            time.sleep(STEP_SECONDS)
        return (time.monotonic() - start) * 1000
    finally:
        session.end()
        stage.returned(ports)


def measure(stage, candidates, rounds):
    """Starts each in turn, so many times. A list of records."""
    records = []
    for number in range(rounds):
        for candidate in candidates:
            took = once(stage, candidate)
            if took is not None:
                records.append(dict(step="start", round=number, candidate=candidate.name, ms=took))
    say("start-up: %d rounds" % rounds)
    return records
