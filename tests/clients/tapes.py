"""Tapes for the tests of replay, recorded once for a whole file of them."""

import urllib.request
from pathlib import Path

from rig.process import Wstape


def get(url, **kw):
    """Status and body of a GET."""
    with urllib.request.urlopen(url, timeout=20, **kw) as answer:
        return answer.status, answer.read()


def recorded(folder, upstream, talk, *args, **kw):
    """A tape of what `talk(wstape)` does; with what that returned."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    w = Wstape(folder, upstream, *args, **kw)
    try:
        told = talk(w)
    finally:
        w.stop()
    return w.tape, told
