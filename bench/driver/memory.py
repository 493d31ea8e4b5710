"""Memory and descriptors: after many connections, with idle ones, with clients that never finish their first bytes."""

import time

from .load import Load, LoadError, new_connections
from .stage import say

# Until a process has been given back what it freed, and the kernel has done its part.
SETTLE_SECONDS = 0.2


def state(session):
    session.refresh()
    return dict(pss_kib=session.memory_kib(), descriptors=session.descriptors())


def held(stage, player, kind, mode, count):
    """What the proxy has while that many connections are held open."""
    before = state(player.session)
    with Load(mode, player.port(kind), kind, count, core=stage.load_core) as load:
        ready = load.line()
        time.sleep(SETTLE_SECONDS)
        during = state(player.session)
        ended = load.release()
    return dict(step=mode, candidate=player.name, kind=kind, connections=ready["ready"], errors=ready["errors"] + ended["errors"],
                before=before, during=during)


def of_candidate(stage, candidate, connections, idle, pending, rest_seconds):
    kind = "tls" if "tls" in candidate.kinds else "http"
    with stage.alone(candidate) as player:
        if not player:
            return []
        records = [dict(step="started", candidate=player.name, **state(player.session))]
        try:
            new_connections(player.port(kind), kind, connections, core=stage.load_core)
            time.sleep(rest_seconds)
            records.append(dict(step="after", candidate=player.name, connections=connections, **state(player.session)))
            for mode, count in (("idle", idle), ("pending", pending)):
                records.append(held(stage, player, kind, mode, min(count, candidate.most or count)))
                time.sleep(SETTLE_SECONDS)
        except LoadError as error:
            say("%s, memory: %s" % (player.name, error))
        return records


def measure(stage, candidates, connections, idle, pending, rest_seconds):
    """Each candidate anew and alone; it has `rest_seconds` to give back what the load took. A list of records."""
    records = []
    for candidate in candidates:
        records += of_candidate(stage, candidate, connections, idle, pending, rest_seconds)
        say("memory: %s" % candidate.name)
    return records
