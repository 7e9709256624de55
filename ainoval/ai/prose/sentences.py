"""Cutting prose into sentences: Chinese and English, with speech kept together with the words that introduce it.

A sentence is a piece of the text as it stands; only the line break of a hard-wrapped file becomes a blank, or nothing
between ideographs.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from ainoval.ai.prose.ideographs import CJK, WIDE
from ainoval.ai.prose.quotations import Span, quotations


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, where it stands, and how much of it is speech."""

    text: str
    index: int
    opens_paragraph: bool
    spoken: float  # share of its characters inside quotation marks, 0 to 1
    is_heading: bool


_TERMINATOR = "。！？!?…"
_END = re.compile(rf"[{_TERMINATOR}]+|\.+")
_CLOSERS = "”’」』»\"')）】》]"
_WIDE = re.compile(f"[{WIDE}]")
_IDEOGRAPH = re.compile(f"[{CJK}]")
# Matched run by run: a pattern that may begin anywhere in a run of blanks takes quadratic time.
_BLANKS = re.compile(r"(?<!\s)\s+")
_HARD_WRAP_COLUMNS = 40
_HEADING_COLUMNS = 50
_NUMBERED = re.compile(r"#{1,6}\s|第[零〇一二三四五六七八九十百千两\d]{1,8}[章节回卷幕部场]|(?:chapter|scene|part|act)\s+[\dIVXLC]+\b", re.IGNORECASE)
# Never the end of a sentence, and the end only before a capital.
_TITLES = frozenset("mr mrs ms dr prof st sr capt col gen lt sgt rev hon mt messrs mme mlle e.g i.e vs cf".split())
_WEAK = frozenset("a.m p.m etc inc ltd co jr u.s u.k no vol fig approx".split())
_WORD_BEFORE = re.compile(r"[A-Za-z][A-Za-z.]*$")
_SAYS = re.compile(
    r"(?<![知味门門一通街渠频頻地难難])道(?![路理歉德具])|[说說问問喊叫嚷吼骂罵答劝勸哼叹嘆念唤喚笑]|低语|低語|开口|開口|"
    r"嘟囔|[应應]了?[一声聲]|回了?一?句|接过?话|接過?話|[传傳][来來]"
)
_SAID = re.compile(
    r"\b(?:said|says|asked|asks|whispered|replied|answered|cried|shouted|called|murmured|muttered|added|told|began|"
    r"continued|repeated|yelled|snapped|sighed|laughed|breathed|agreed|insisted|admitted|explained|warned|went on)\b"
)


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text in order; pieces without a letter or digit are left out."""
    found: list[Sentence] = []
    for paragraph in _paragraphs(text):
        heading = _is_heading(paragraph)
        spans = quotations(paragraph)
        start = 0
        opens = True
        for end in _ends(paragraph, spans):
            piece = _evened(paragraph[start:end])
            if any(character.isalnum() for character in piece):
                spoken = _spoken(spans, start, end)
                found.append(Sentence(piece, len(found), opens, spoken, heading))
                opens = False
            start = end
    return found


def finished(line: str) -> str:
    """Return the line up to its last finished sentence, "" if it finishes none."""
    length = 0
    for end in _ends(line, quotations(line)):
        head = line[:end].rstrip().rstrip(_CLOSERS)
        stops = head.endswith(".") and _is_full_stop(line, len(head) - 1, following="", after_blank=True)
        if end < len(line) or head.endswith(tuple(_TERMINATOR)) or stops:
            length = end
    return line[:length].rstrip()


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs: at blank lines, and at line breaks unless the line was only wrapped."""
    lines: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if lines and (not bare or _is_indented(line) or not _is_wrapped(lines[-1])):
            yield "\n".join(lines)
            lines = []
        if bare:
            lines.append(bare)
    if lines:
        yield "\n".join(lines)


def _is_indented(line: str) -> bool:
    return line.startswith(("\u3000", "  ", "\t"))


def _is_wrapped(line: str) -> bool:
    """Say whether a line stops because it was full: long, and in the middle of a sentence."""
    return _columns(line) >= _HARD_WRAP_COLUMNS and line[-1] not in _TERMINATOR + _CLOSERS + ".:：;；"


def _columns(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))


def _is_heading(paragraph: str) -> bool:
    """Say whether this is a title, a chapter number or a date line, not prose."""
    if _columns(paragraph) > _HEADING_COLUMNS:
        return False
    return bool(_NUMBERED.match(paragraph)) or paragraph[-1] not in _TERMINATOR + _CLOSERS + ".,，;；:：—-–、"


def _ends(paragraph: str, spans: list[Span]) -> Iterator[int]:
    """Yield where each sentence ends; the last end is the paragraph's."""
    span_number = 0
    last = 0
    for match in _END.finditer(paragraph):
        end = match.end()
        while span_number < len(spans) and spans[span_number].end <= match.start():
            span_number += 1
        quoted = span_number < len(spans) and spans[span_number].start < match.start()
        while end < len(paragraph) and paragraph[end] in _CLOSERS:
            end += 1
        if quoted and end < spans[span_number].end:
            continue  # speech is not cut inside its marks
        if end >= len(paragraph):
            break
        if end > last and _is_end(paragraph, match, end, quoted):
            yield end
            last = end
    yield len(paragraph)


def _is_end(paragraph: str, match: re.Match[str], end: int, quoted: bool) -> bool:
    mark = match.group()
    rest = paragraph[end : end + 80]
    following = rest.lstrip()[:1]
    after_blank = rest[:1].isspace()
    if quoted and _is_tag(rest):
        return False
    if mark.strip("….") == "":
        if len(mark) > 1 or mark == "…":
            # An ellipsis is a pause as often as an end: only what begins anew after it tells.
            return quoted or (after_blank and (following.isupper() or following in '“"「『'))
        return _is_full_stop(paragraph, match.start(), following, after_blank or quoted)
    if mark[-1] in "!?" and following.isascii():
        return (after_blank or quoted) and not following.islower()
    return True


def _is_full_stop(paragraph: str, at: int, following: str, after_blank: bool) -> bool:
    wide = bool(_WIDE.match(following)) or following in "“「『"
    if not (after_blank or wide) or following.islower():
        return False
    before = _WORD_BEFORE.search(paragraph, max(0, at - 12), at)
    if before is None:
        return True
    word = before.group()
    if word.lower() in _TITLES or (len(word) == 1 and word != "I" and word.isupper()):
        return False
    return word.lower() not in _WEAK or (following.isupper() and word.lower() not in ("no", "vol", "fig", "approx"))


def _is_tag(rest: str) -> bool:
    """Say whether the words after closed speech still belong to it: “……。”他低声说。 / "Go!" she said."""
    bare = rest.lstrip()
    if not bare:
        return False
    if _IDEOGRAPH.match(bare):
        clause = re.split(r"[，。！？；：“「…\n]", bare, maxsplit=1)[0]
        return len(clause) <= 14 and bool(_SAYS.search(clause))
    if bare[0].islower():
        return True
    clause = re.split(r"[.!?;\n“\"]", bare, maxsplit=1)[0]
    return bool(_SAID.search(" ".join(clause.split()[:5])))


def _spoken(spans: list[Span], start: int, end: int) -> float:
    inside = 0
    at = bisect_left(spans, start, key=lambda span: span.end)
    while at < len(spans) and (span := spans[at]).start < end:
        inside += min(end, span.end) - max(start, span.start)
        at += 1
    return inside / max(1, end - start)


def _evened(piece: str) -> str:
    """Return the piece without outer blanks, and in one line: no blank between ideographs, one between words."""
    piece = piece.strip()

    def one_line(run: re.Match[str]) -> str:
        if "\n" not in run.group():
            return run.group()
        return "" if _WIDE.match(piece[run.start() - 1]) and _WIDE.match(piece[run.end()]) else " "

    return _BLANKS.sub(one_line, piece) if "\n" in piece else piece
