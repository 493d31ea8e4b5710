"""The first connections of a proxy that has just been started: a JVM interprets and compiles meanwhile."""

from .connections import measured
from .load import LoadError
from .stage import say


def measure(stage, candidates, counts, rounds, kind="tls"):
    """Each candidate anew and alone, as many connections as each of counts says, one after the other. A list of records."""
    records = []
    for number in range(rounds):
        for candidate in candidates:
            with stage.alone(candidate) as player:
                before = 0
                for count in counts if player else ():
                    try:
                        result = measured(stage, player, kind, count)
                    except LoadError as error:
                        say("%s, first: %s" % (player.name, error))
                        break
                    before += count
                    records.append(dict(step="first", round=number, candidate=player.name, kind=kind, up_to=before, **result))
        say("first connections: round %d of %d" % (number + 1, rounds))
    return records
