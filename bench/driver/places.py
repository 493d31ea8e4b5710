"""Where things are."""

import os

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)
TARGET = os.path.join(BENCH, "target")
PEEKPASS = os.path.join(ROOT, "peekpass")
DOCUMENT = os.path.join(ROOT, "docs", "performance.md")
PICTURES = os.path.join(ROOT, "docs", "performance")

# The one host that every candidate routes.
NAME = "a.example"


def program(name):
    """A C program of the benchmark."""
    return os.path.join(TARGET, name)
