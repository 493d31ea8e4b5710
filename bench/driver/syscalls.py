"""System calls of the proxy for a new connection."""

from contextlib import nullcontext

from .calls import Calls
from .load import LoadError, new_connections
from .stage import say


def measure(stage, count, at_once, kinds=("http", "tls"), crowded=False):
    """One by one, or `at_once` many and then by name; all on one core if crowded. None when no tool may count."""
    with stage.crowded() if crowded else nullcontext():
        return count_all(stage, count, at_once, kinds)


def count_all(stage, count, at_once, kinds):
    records = []
    for player, kind in stage.pairs(kinds):
        if not player.session:
            continue
        last = [able for able in kinds if able in player.candidate.kinds][-1]
        try:
            with Calls(player.session.pids, by_name=at_once > 1 and kind == last) as calls:
                result = new_connections(player.port(kind), kind, count, at_once, stage.load_core)
        except LoadError as error:
            say("%s, %s, calls: %s" % (player.name, kind, error))
            continue
        records.append(dict(step="calls", candidate=player.name, kind=kind, at_once=at_once, requests=result["requests"],
                            errors=result["errors"], tool=calls.tool, total=calls.total, calls=calls.calls))
    return records
