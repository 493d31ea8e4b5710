"""New connections: the proxy's CPU time for each, beside the reference's in the same minute."""

import random
import time

from .load import LoadError, new_connections
from .ours import REFERENCE
from .stage import say

# One measurement of the reference serves so many candidates, those just before and behind it.
CHUNK = 3

# What a process still has to do once its last client has its answer.
SETTLE_SECONDS = 0.02


def measured(stage, player, kind, count, at_once=64):
    """Makes connections; what they took."""
    proxy, receiver = player.cpu_ns(), stage.receiver.cpu_ns()
    result = new_connections(player.port(kind), kind, count, at_once, stage.load_core)
    time.sleep(SETTLE_SECONDS)
    result["proxy_ns"] = player.cpu_ns() - proxy
    result["receiver_ns"] = stage.receiver.cpu_ns() - receiver
    return result


def order_of(names, seed):
    """Those names shuffled, the reference ahead of every chunk: [(chunk, name)]."""
    others = [name for name in names if name != REFERENCE]
    random.Random(seed).shuffle(others)
    chunks = [others[at:at + CHUNK] for at in range(0, len(others), CHUNK)] or [[]]
    return [(at, name) for at, chunk in enumerate(chunks) for name in [REFERENCE] + chunk if name in names]


def measure(stage, step, rounds, kinds, count, at_once=64, names=None):
    """Rounds of all candidates, or of the named ones, in turn. A list of records."""
    records = []
    for number in range(rounds):
        for kind in kinds:
            able = [player.name for player, _ in stage.pairs([kind]) if names is None or player.name in names]
            for chunk, name in order_of(able, "%d %s" % (number, kind)):
                try:
                    result = measured(stage, stage.players[name], kind, count, at_once)
                except LoadError as error:
                    say("%s, %s: %s" % (name, kind, error))
                    continue
                records.append(dict(step=step, round=number, chunk=chunk, candidate=name, kind=kind, **result))
        say("%s: round %d of %d" % (step, number + 1, rounds))
    return records
