"""Extractive summaries: one to four sentences of the scene itself, in its order.

Sentences are scored by how much they share with the whole (the centroid method), by their place, by whether they name
the people of the scene, and by whether they can stand alone. They are then picked one by one, each pick making
sentences like it, and sentences of the same part of the scene, less welcome.

Source: Radev, Jing, Styś and Tam, "Centroid-based summarization of multiple documents" (2004); Carbonell and Goldstein,
"The use of MMR" (1998), https://doi.org/10.1145/290941.291025
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ainoval.ai.prose.ideographs import WIDE
from ainoval.ai.prose.sentences import sentences
from ainoval.ai.providers.offline.ranking import Candidate, likeness, rank
from ainoval.novels.words import is_mostly_cjk

SHARE = 0.2
MAX_SENTENCES = 4
# A sentence worth less than this share of the best one is no gain: scraps of talk, mostly.
LEAST_WORTH = 0.15
# More are not prose (512 KiB of a novel hold 5,000 to 12,000): of such a text every second or third line is looked at.
MAX_SCORED = 15_000
# Picking compares each candidate with each pick; scoring before it is linear.
MAX_CANDIDATES = 400


# Curly quotation marks and the ellipsis belong to both scripts: the character behind them tells.
_WIDE_END = re.compile(rf"[{WIDE}][“”‘’…\"']{{0,5}}$")
_WIDE_START = re.compile(rf"[“”‘’…\"']{{0,5}}[{WIDE}]")


class Lengths(NamedTuple):
    """Characters: a text up to `whole` is its own summary; a summary aims at SHARE, within `least` and `most`."""

    whole: int
    least: int
    most: int


CHINESE = Lengths(whole=60, least=40, most=160)
OTHER = Lengths(whole=180, least=120, most=400)


def summarise(text: str) -> str:
    """Return an extract of the text; "" for a text without words."""
    lengths = CHINESE if is_mostly_cjk(text) else OTHER
    found = sentences(text)
    prose = [sentence for sentence in found if not sentence.is_heading] or found
    if not prose:
        return ""
    length = sum(len(sentence.text) for sentence in prose)
    if length <= lengths.whole:
        return joined([sentence.text for sentence in prose])
    target = min(max(round(SHARE * length), lengths.least), lengths.most)
    fitting = [sentence for sentence in prose if len(sentence.text) <= lengths.most]
    if not fitting:
        return _shortened(prose[0].text, lengths.most)
    step = -(-len(fitting) // MAX_SCORED)
    picks = _pick(rank(fitting[::step], MAX_CANDIDATES), target, lengths)
    return joined([candidate.sentence.text for candidate in picks])


def joined(pieces: Sequence[str]) -> str:
    """Put sentences together: a blank between them unless one side is Chinese."""
    text = ""
    for piece in pieces:
        text += piece if not text or _WIDE_END.search(text) or _WIDE_START.match(piece) else f" {piece}"
    return text


def _pick(candidates: Sequence[Candidate], target: int, lengths: Lengths) -> list[Candidate]:
    """Choose candidates up to the target length, in the order of the text."""
    picks: list[Candidate] = []
    wanted = _wanted_count(candidates, target)
    used = 0
    remaining = list(candidates)
    while remaining and len(picks) < MAX_SENTENCES:
        room = lengths.most if not picks else min(lengths.most, round(1.25 * target)) - used
        remaining = [candidate for candidate in remaining if len(candidate.sentence.text) <= room]
        if not remaining:
            break
        worth, best = max(
            ((_worth(candidate, picks, wanted), candidate) for candidate in remaining),
            key=lambda pair: (pair[0], -pair[1].sentence.index),
        )
        if picks and worth < LEAST_WORTH * picks[0].score:
            break
        picks.append(best)
        used += len(best.sentence.text)
        remaining.remove(best)
        if used >= 0.85 * target:
            break
    return sorted(picks, key=lambda candidate: candidate.sentence.index)


def _wanted_count(candidates: Sequence[Candidate], target: int) -> int:
    lengths = sorted(len(candidate.sentence.text) for candidate in candidates)
    return min(MAX_SENTENCES, max(1, round(target / lengths[len(lengths) // 2])))


def _worth(candidate: Candidate, picks: Sequence[Candidate], wanted: int) -> float:
    worth = candidate.score
    if picks:
        worth *= 1 - max(likeness(candidate, pick) for pick in picks)
        zones = {int(pick.place * wanted) for pick in picks}
        if int(candidate.place * wanted) in zones:
            worth *= 0.6
    if candidate.dangles and _is_understood(candidate, picks):
        worth *= 1.8
    return worth


def _is_understood(candidate: Candidate, picks: Sequence[Candidate]) -> bool:
    """Say whether a reader of the picks takes "she" for the same person as a reader of the scene."""
    before = [pick for pick in picks if pick.sentence.index < candidate.sentence.index]
    if not before:
        return False
    last = max(before, key=lambda pick: pick.sentence.index)
    if last.sentence.index == candidate.sentence.index - 1:
        return not last.dangles
    return bool(candidate.meant) and bool(last.names) and last.names[-1] == candidate.meant


def _shortened(text: str, most: int) -> str:
    """Return the beginning of an endless sentence, cut where it pauses, with an ellipsis."""
    head = text[: most - 1]
    pauses = [head.rfind(mark) for mark in "，,；;：:、 "]
    cut = max(pauses)
    return (head[:cut] if cut > most // 3 else head).rstrip() + "…"
