"""Start-up: from exec until it listens, and until it answers.

The first of our two programs binds, so that connect(2) succeeds before anybody is served. Ours answers a host without a route
itself, whatever its backends do; the peers listen when they serve.
"""

import socket
import time

from .processes import Session
from .stage import say

PATIENCE_SECONDS = 30
STEP_SECONDS = 0.001
ANSWERS = ", until it answers"


def connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port):
    """Waits until it has answered, or closed."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: nobody.invalid\r\n\r\n")
        return bool(client.recv(1))


def once(stage, candidate):
    """Milliseconds until it listens and, of ours, until it answers; on all cores. None when it does not start."""
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
        listens = time.monotonic()
        answered = candidate.java and answers(port)
        return (listens - start) * 1000, (time.monotonic() - start) * 1000 if answered else None
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
                listens, answered = took
                records.append(dict(step="start", round=number, candidate=candidate.name, ms=listens))
                if answered is not None:
                    records.append(dict(step="start", round=number, candidate=candidate.name + ANSWERS, ms=answered))
    say("start-up: %d rounds" % rounds)
    return records
