"""Gives out what a run has found: tables, plots, and the document."""

import os

from . import places, plots, tables
from .summary import Summary

BEGIN = "<!-- results: written by bench/run --docs, or bench/plot FILE.json --docs -->"
END = "<!-- end of the results -->"


def publish(run, base, docs):
    """The tables to standard output, the plots to BASE-NAME.svg; with docs both into the document."""
    summary = Summary(run)
    text = tables.report(summary)
    pictures = plots.all_plots(summary)
    for name, picture in pictures.items():
        with open("%s-%s.svg" % (base, name), "w") as file:
            file.write(picture)
    if docs:
        write_document(text, pictures)
    print(text)


def write_document(text, pictures):
    """Replaces what stands between the two marks."""
    os.makedirs(places.PICTURES, exist_ok=True)
    for name, picture in pictures.items():
        with open(os.path.join(places.PICTURES, name + ".svg"), "w") as file:
            file.write(picture)
    with open(places.DOCUMENT) as file:
        document = file.read()
    before, after = document.split(BEGIN)[0], document.split(END)[1]
    shown = "".join("\n![%s](performance/%s.svg)\n" % (plots.TITLES[name], name) for name in pictures)
    with open(places.DOCUMENT, "w") as file:
        file.write(before + BEGIN + "\n\n" + text + shown + "\n" + END + after)
