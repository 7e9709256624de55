"""Is this line a heading? Pure questions about one line, for the ways Chinese and English novels label their parts.

A sentence may begin with "Chapter Three" or "第三章" too. What tells them apart within the line: headings are short, their titles do not run on
after the label like a sentence, and do not end like one. What the neighbouring lines tell is `finding`'s business.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from ainoval.novels.importing.marks import Kind

LONGEST: Final = 200

_CN_NUMBER: Final = "[0-9０-９零〇○一二三四五六七八九十百千万两廿卅]{1,9}"
_CN_LABEL = re.compile(
    rf"[【\[]?\s*(?:正文\s*)?(?P<label>第\s*{_CN_NUMBER}\s*(?P<unit>[章回节節话話折卷集篇編编幕册冊]|部分?))(?P<sep>[\s:：、，．.·—_\-】\]]*)(?P<title>.*?)[】\]]?$"
)
# A chapter's label inside an act's heading: directly after the act's label, or after a space.
_CN_INNER_CHAPTER = re.compile(rf"(?<=[\s:：、·—卷部篇集册-])第\s*{_CN_NUMBER}\s*[章回节節话話折]")
_CN_VOLUME = re.compile(rf"(?P<label>(?:[卷部](?:之)?{_CN_NUMBER}|[上中下][卷部篇册冊]))(?:[\s:：、．.·]+(?P<title>.*))?$")
_CN_SPECIAL = re.compile(
    "(?P<label>序章|序幕|序言|自序|前言|楔子|引子|引言|序|尾声|尾聲|终章|終章|后记|後記|大结局|大結局|附录|附錄|跋|番外[篇]?[0-9一二三四五六七八九十]{0,3})"
    r"(?:[\s:：、．.·—]+(?P<title>.*))?$"
)
_CN_CHAPTERS: Final = frozenset("章回节節话話折")
_CN_SECTIONS: Final = frozenset("节節")
_CN_ENDS: Final = tuple("。，；、,;")
# After a label without a space, these go on with a sentence: "第三章的结尾", "第三章是他写的".
_CN_RUNS_ON: Final = tuple("的里裡是讲講说說写寫了，。；、")
_CN_LONGEST: Final = 40
_CN_LONGEST_ADJACENT: Final = 20

_UNITS: Final = "one|two|three|four|five|six|seven|eight|nine"
_TEENS: Final = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS: Final = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ORDINALS: Final = (
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|"
    "eighteenth|nineteenth|twentieth|last|final"
)
_EN_NUMBER: Final = rf"\d{{1,4}}|[ivxlcdm]{{1,9}}|(?:{_TENS})(?:[ -](?:{_UNITS}))?|{_TEENS}|{_UNITS}|{_ORDINALS}"
_EN_LABEL = re.compile(
    rf"(?P<label>(?P<word>chapter|chap\.|stave|canto|part|book|volume|vol\.)\s+(?:the\s+)?(?P<number>{_EN_NUMBER}))\b(?P<sep>\s*[.:—–-]+\s*|\s+|$)(?P<title>.*)$",
    re.IGNORECASE,
)
_EN_SPECIAL = re.compile(
    r"(?P<label>prologue|epilogue|preface|introduction|foreword|afterword|interlude|postscript|conclusion)(?:\s*[.:—–-]\s*(?P<title>.*))?$",
    re.IGNORECASE,
)
_EN_ACTS: Final = frozenset({"part", "book", "volume", "vol."})
_EN_LONGEST: Final = 90
_EN_MOST_WORDS_OF_A_SENTENCE: Final = 6
_GUTENBERG_END = re.compile(r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_LONGEST_LEADER: Final = 100
_LONGEST_PAGE_NUMBER: Final = 4
_FIRST = frozenset("【[正第卷部上中下序自前楔引尾终終后後大附跋番CcSsPpBbVvEeIiFfAa*")


@dataclass(frozen=True, slots=True)
class Heading:
    """A line that begins an act or a chapter.

    Args:
        key: The same for the entry in a table of contents and the heading it stands for.
        title: The whole line, label included, as readers know it.
        is_bare: There is a label and no title, so the next line may be the title.
        is_certain: Chinese labels are unmistakable; English ones are also words, and need the neighbouring lines to tell.
        is_section: A 节, which is a part of a chapter in novels that have 章 too.
    """

    kind: Kind
    key: str
    title: str
    is_bare: bool
    is_certain: bool
    is_section: bool = False

    def as_scene(self) -> "Heading":
        """Return the heading as that of a scene."""
        return replace(self, kind=Kind.SCENE)


def headings(line: str) -> tuple[Heading, ...]:
    """Return what a line begins: nothing, an act or a chapter, or both ("第一卷 起风 第一章 初遇").

    Args:
        line: Without white space around it.
    """
    if not line or len(line) > LONGEST or line[0] not in _FIRST:
        return ()
    if line[0] == "*":
        return (Heading(Kind.CHAPTER, "gutenberg-end", line.strip("* "), is_bare=False, is_certain=True),) if _GUTENBERG_END.match(line) else ()
    if line[0] <= "z" and line[0] != "[":
        return _english(line)
    return _chinese(line)


def without_page_number(line: str) -> str:
    """Return an entry of a table of contents without its dots and page number."""
    if len(line) > LONGEST + _LONGEST_LEADER:
        return line
    stem = line.rstrip("0123456789")
    label = stem.rstrip(".…· \t\u3000\u2002\u2003")
    leader = stem[len(label) :]
    return label if 0 < len(line) - len(stem) <= _LONGEST_PAGE_NUMBER and (len(leader) > 1 or leader == "\t") else line


def _chinese(line: str) -> tuple[Heading, ...]:
    if len(line) > _CN_LONGEST + 20:
        return ()
    if match := _CN_LABEL.match(line):
        label, unit, title = match["label"], match["unit"], match["title"]
        kind = Kind.CHAPTER if unit in _CN_CHAPTERS else Kind.ACT
        if kind is Kind.ACT and (inner := _CN_INNER_CHAPTER.search(line, match.start("title"))):
            chapter = _chinese(line[inner.start() :])
            if chapter:
                act_title = line[: inner.start()].rstrip(" \u3000:：、·-—")
                return (Heading(kind, _key(label), act_title, is_bare=False, is_certain=True), *chapter)
        if not _is_chinese_title(title, has_separator=bool(match["sep"])):
            return ()
        return (Heading(kind, _key(label), line, is_bare=not title, is_certain=True, is_section=unit in _CN_SECTIONS),)
    for pattern, kind in ((_CN_VOLUME, Kind.ACT), (_CN_SPECIAL, Kind.CHAPTER)):
        if match := pattern.match(line):
            title = match["title"] or ""
            if _is_chinese_title(title, has_separator=True):
                return (Heading(kind, _key(match["label"]), line, is_bare=not title, is_certain=True),)
    return ()


def _is_chinese_title(title: str, *, has_separator: bool) -> bool:
    if not title:
        return True
    if title.endswith(_CN_ENDS) or "。" in title:
        return False
    if has_separator:
        return len(title) <= _CN_LONGEST
    return len(title) <= _CN_LONGEST_ADJACENT and not title.startswith(_CN_RUNS_ON) and not any(mark in title for mark in "，；")


def _english(line: str) -> tuple[Heading, ...]:
    if match := _EN_LABEL.match(line):
        title, separator = match["title"].strip(), match["sep"].strip()
        if not _is_english_title(title, has_separator=bool(separator)) or (line[0].islower() and title):
            return ()
        kind = Kind.ACT if match["word"].lower() in _EN_ACTS else Kind.CHAPTER
        return (Heading(kind, _key(f"{match['word']} {match['number']}"), line, is_bare=not title, is_certain=False),)
    if match := _EN_SPECIAL.match(line):
        title = (match["title"] or "").strip()
        if line[0].isupper() and _is_english_title(title, has_separator=True):
            return (Heading(Kind.CHAPTER, _key(match["label"]), line, is_bare=not title, is_certain=False),)
    return ()


def _is_english_title(title: str, *, has_separator: bool) -> bool:
    """Say whether what follows the label reads like a title: "CHAPTER 12. Biographical." does, "Chapter 12 was the one he kept." does not."""
    if not title or title.isupper():
        return True
    words = title.split()
    if len(title) > _EN_LONGEST or title.endswith((",", ";")):
        return False
    if title.endswith(".") and len(words) > _EN_MOST_WORDS_OF_A_SENTENCE:
        return False
    if has_separator:
        return True
    # Only a space between: a title has capitals, a sentence goes on in lower case.
    long_words = [word for word in words if len(word) > 3] or words
    return not words[0][0].islower() and sum(not word[0].islower() for word in long_words) * 2 >= len(long_words)


def _key(label: str) -> str:
    return re.sub(r"\s+", " ", label).casefold()
