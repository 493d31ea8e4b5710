"""The plots of a run: {name: SVG}."""

from .ours import DIRECT, REFERENCE
from .svg import Bar, chart

TITLES = {
    "connections": "Proxy CPU a new TLS connection",
    "latency": "Latency that a proxy adds to the first byte",
    "idle": "Memory of the proxy for a connection that is open and idle",
    "requests": "Proxy CPU a request on a connection that is kept",
    "downloads": "Proxy CPU a gigabyte of a download",
    "start": "From exec until it listens, or answers",
}


def kind_of(name):
    if "peekpass" in name:
        return "ours"
    return "reference" if name.startswith("C-") else "peer"


def best_kind(found, name):
    """TLS where the candidate can, else HTTP: (suffix for the label, value)."""
    for kind, suffix in (("tls", ""), ("http", ", http")):
        value = found(name, kind)
        if value is not None:
            return suffix, value
    return "", None


def bars(summary, found, note, rounds=False):
    """A bar for each candidate that has a value, the least first."""
    made = []
    for name in summary.candidates:
        if name == DIRECT:
            continue
        suffix, value = best_kind(found, name)
        if value is not None:
            made.append(Bar(name + suffix, kind_of(name), value.median, note(name, value), (value.least, value.most) if rounds else None,
                            value.values if rounds else ()))
    return sorted(made, key=lambda bar: bar.value)


def connections(summary):
    def note(name, value):
        suffix, ratio = best_kind(summary.ratio, name)
        return "%.1f µs" % value.median + ("" if name == REFERENCE or not ratio else ", %.1f ×" % ratio.median)

    made = bars(summary, summary.cpu, note, rounds=True)
    remark = "Median, least and greatest of the rounds, each a dot; × is beside C-one in the same round."
    return made, "µs of CPU time, by the scheduler; 517-byte ClientHello, 64 connections at a time", remark


def latency(summary):
    made = bars(summary, lambda name, kind: summary.added(name, kind, "p50"), lambda name, value: "%.0f µs" % value.median)
    return made, "µs above the same receiver without a proxy (p50); one connection at a time", ""


def requests(summary):
    return bars(summary, summary.request, lambda name, value: "%.2f µs" % value.median), "µs of CPU time of the proxy; 16 connections", ""


def downloads(summary):
    return bars(summary, summary.bulk, lambda name, value: "%.3f s" % value.median), "seconds of CPU time of the proxy a GB; 2 connections", ""


def idle(summary):
    made = []
    for name in summary.candidates:
        held = summary.held(name, "idle")
        if held:
            each = max(0.0, held[1])
            made.append(Bar(name, kind_of(name), each, "{:,.0f} bytes, {:.0f} descriptors".format(each, held[2])))
    return sorted(made, key=lambda bar: bar.value), "bytes of the proxy's memory (Pss) a connection; the kernel's part is not in it", ""


def start(summary):
    made = []
    for name in dict.fromkeys(record["candidate"] for record in summary.of("start")):
        value = summary.start(name)
        made.append(Bar(name, kind_of(name), value.median, "%.0f ms" % value.median, (value.least, value.most)))
    return sorted(made, key=lambda bar: bar.value), "ms; median, least and greatest", ""


def all_plots(summary):
    makers = dict(connections=connections, latency=latency, requests=requests, downloads=downloads, idle=idle, start=start)
    made = {}
    for name, make in makers.items():
        values, axis, remark = make(summary)
        if values:
            made[name] = chart(TITLES[name], axis, values, remark)
    return made
