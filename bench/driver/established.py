"""After the hand-off: requests on connections that are kept, and large downloads."""

import time

from .calls import Calls
from .connections import SETTLE_SECONDS
from .load import Load, LoadError
from .stage import say

KEPT, DOWNLOADS = 16, 2


def once(stage, player, kind, mode, count, size):
    """Only what happens once the connections are there."""
    at_once = KEPT if mode == "keep" else DOWNLOADS
    with Load(mode, player.port(kind), kind, count, at_once, size, stage.load_core) as load:
        ready = load.line()
        time.sleep(SETTLE_SECONDS)
        before, receiver = player.cpu_ns(), stage.receiver.cpu_ns()
        result = load.release()
        time.sleep(SETTLE_SECONDS)
        result["proxy_ns"] = player.cpu_ns() - before
        result["receiver_ns"] = stage.receiver.cpu_ns() - receiver
        result["errors"] += ready["errors"]
        return result


def measure(stage, rounds, requests, download, kinds=("http", "tls")):
    """`requests` requests and DOWNLOADS downloads of `download` bytes for each candidate and round."""
    records = []
    for number in range(rounds):
        for player, kind in stage.pairs(kinds):
            for mode, count, size in (("keep", requests, 0), ("bulk", DOWNLOADS, download)):
                try:
                    result = once(stage, player, kind, mode, count, size)
                except LoadError as error:
                    say("%s, %s, %s: %s" % (player.name, kind, mode, error))
                    continue
                records.append(dict(step=mode, round=number, candidate=player.name, kind=kind, **result))
        say("after the hand-off: round %d of %d" % (number + 1, rounds))
    return records


def count_calls(stage, requests, kinds=("http", "tls")):
    """System calls of the proxy for requests on connections that are kept."""
    records = []
    for player, kind in stage.pairs(kinds):
        if not player.session:
            continue
        with Load("keep", player.port(kind), kind, requests, KEPT, core=stage.load_core) as load:
            try:
                load.line()
                with Calls(player.session.pids) as calls:
                    result = load.release()
            except LoadError as error:
                say("%s, %s, calls: %s" % (player.name, kind, error))
                continue
        records.append(dict(step="calls-after", candidate=player.name, kind=kind, requests=result["requests"],
                            tool=calls.tool, total=calls.total, calls=calls.calls))
    return records
