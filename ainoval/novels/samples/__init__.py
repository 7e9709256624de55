"""Two short novels that ship with the project, written for it, so that there is something to try it on."""

from importlib.resources import files
from typing import Final

ENGLISH: Final = "the_ferry_ledger.txt"
CHINESE: Final = "yanhui_station.txt"
SAMPLES: Final = (ENGLISH, CHINESE)


def read_sample(name: str) -> bytes:
    """Return the file of a sample novel, as `parse_novel` takes it."""
    return files(__name__).joinpath(name).read_bytes()
