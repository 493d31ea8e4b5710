"""Several loops: what one more thread brings, and how evenly they accept."""

import random

from .connections import measured
from .load import LoadError
from .stage import say

COUNTS = (1, 2)


def measure(stage, make, rounds, count, warm, kind="tls"):
    """make(threads) is the candidate. Nothing is pinned, so the stage must not be split. A list of records."""
    records = []
    candidates = {threads: make(threads) for threads in COUNTS}
    stage.start(candidates.values(), warm)
    for number in range(rounds):
        order = [threads for threads in COUNTS if candidates[threads].name in stage.players]
        random.Random(number).shuffle(order)
        for threads in order:
            player = stage.players[candidates[threads].name]
            before = player.session.cpu_by_thread_ns("loop-")
            try:
                result = measured(stage, player, kind, count)
            except LoadError as error:
                say("%s: %s" % (player.name, error))
                continue
            after = player.session.cpu_by_thread_ns("loop-")
            loops = {name: after[name] - before.get(name, 0) for name in after}
            records.append(dict(step="threads", round=number, candidate=player.name, threads=threads, kind=kind, loops_ns=loops, **result))
    stage.end_players()
    say("threads: %d rounds" % rounds)
    return records
