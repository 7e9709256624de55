"""Plain scene drafts: each sentence of the summary, word for word, carried by neutral sentences around it.

Nothing is invented: the sentences around state no event, person or place. They are chosen by a hash of the summary, so
the same summary always gives the same draft and another one a different draft. No sentence is used twice: a draft ends
before it would repeat itself, short of its target if need be.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ainoval.ai.prose.sentences import Sentence, sentences
from ainoval.ai.providers.offline import phrases_en, phrases_zh
from ainoval.ai.providers.offline.summary import joined
from ainoval.ai.providers.offline.words import STOPWORDS, names
from ainoval.novels.words import is_mostly_cjk, word_count

DEFAULT_WORDS = 300
_SENTENCES_IN_A_PARAGRAPH = 4

_CHOICE = re.compile(r"\[([^/\]]*)/([^/\]]*)\]")
_PAST = re.compile(r"\b(?:was|were|had|did|[a-z]{2,}ed|went|came|took|found|said|saw|left|told|gave|knew|made)\b")
_PRESENT = re.compile(r"\b(?:is|are|has|does|(?:[A-Z][a-z]+|he|she|it|who|and) (?!was|this|his|its)[a-z]{2,}s)\b")
_SUBJECT = re.compile(r"([A-Z][a-z]{2,}) (?:[a-z]+(?:ed|[a-rt-z]s)|is|has|was|had|went|came|took|found|said|saw|left)\b")
_THING_EN = re.compile(
    r"\b(?:the|an?) ([a-z]{3,})(?=[.,;:!?]|$| (?:of|in|on|at|from|with|and|that|by|into|under|behind|beside|who|which|"
    r"where|before|after|for|near|over|until|while|when|to)\b)"
)
_THING_ZH = re.compile(r"[一那这這半]([封把张張盏盞扇本座条條枚块塊幅卷只隻份])([\u4e00-\u9fff]{1,3})(?=[，。；、！？：]|$)")
_NO_SUBJECT = STOPWORDS | frozenset("rain snow night day war fire people time chapter scene".split())
_NO_THING = frozenset(
    "first last same other next end beginning way time moment day night morning evening hour rest one two three most "
    "least more few little lot long while week month year past future second third whole matter".split()
)


@dataclass(frozen=True)
class _Phrases:
    """The stock of one draft; lists are used up from their end."""

    opening: str
    plain: list[str]
    personal: list[str]
    about: list[str]
    closing: str


def draft(summary: str, target_words: int | None = None) -> str:
    """Return a draft of the scene in paragraphs; "" for a summary without words.

    Args:
        target_words: The length to come near to (Chinese counts characters); 300 by default, at least the summary's.
    """
    told = sentences(summary)
    if not told:
        return ""
    phrases = _phrases(summary, told)
    spare = max(0, (target_words or DEFAULT_WORDS) - word_count(summary))
    paragraphs: list[str] = []
    used = 0
    for number, sentence in enumerate(told, start=1):
        # Each sentence gets its share of what is still to fill, so that one with few words to spare passes them on.
        share = spare * number / len(told)
        pieces = [_ended(sentence.text)]
        for piece in _around(phrases, first=number == 1, thing=_thing(sentence.text)):
            if used + word_count(piece) / 2 > share:
                break
            pieces.append(piece)
            used += word_count(piece)
        if number == len(told) and len(pieces) > 1:
            pieces.append(phrases.closing)
        paragraphs.extend(_in_paragraphs(pieces))
    return "\n\n".join(paragraphs)


def _ended(text: str) -> str:
    """Return the sentence with a full stop if it came without one."""
    if text[-1].isalnum():
        return text + ("。" if is_mostly_cjk(text) else ".")
    return text


def _around(phrases: _Phrases, *, first: bool, thing: str) -> Iterator[str]:
    """Yield what may follow a sentence, taking each phrase off the stock."""
    if first:
        yield phrases.opening
    if thing and phrases.about:
        yield phrases.about.pop().replace("{thing}", thing)
    while phrases.plain or phrases.personal:
        if phrases.plain:
            yield phrases.plain.pop()
        if phrases.personal:
            yield phrases.personal.pop()


def _in_paragraphs(pieces: list[str]) -> Iterator[str]:
    """Yield paragraphs of about one length, so that no sentence stands alone after a full one."""
    count = -(-len(pieces) // _SENTENCES_IN_A_PARAGRAPH)
    for number in range(count):
        yield joined(pieces[number * len(pieces) // count : (number + 1) * len(pieces) // count])


def _phrases(summary: str, told: list[Sentence]) -> _Phrases:
    chinese = is_mostly_cjk(summary)
    bank = phrases_zh if chinese else phrases_en
    name = _name(told)
    past = len(_PAST.findall(summary)) >= max(1, len(_PRESENT.findall(summary)))

    def shuffled(phrases: tuple[str, ...]) -> list[str]:
        ordered = sorted(phrases, key=lambda phrase: hashlib.sha256(f"{summary}\n{phrase}".encode(errors="replace")).digest())
        if chinese:
            ordered = [phrases_zh.in_script_of(summary, phrase) for phrase in ordered]
        return [_CHOICE.sub(r"\2" if past else r"\1", phrase).replace("{name}", name) for phrase in ordered]

    return _Phrases(
        opening=shuffled(bank.OPENING)[0],
        plain=shuffled(bank.PLAIN),
        personal=shuffled(bank.PERSONAL) if name else [],
        about=shuffled(bank.ABOUT_A_THING),
        closing=shuffled(bank.CLOSING)[0],
    )


def _name(told: list[Sentence]) -> str:
    """Return the person to write about: named twice, or the capitalised subject of a sentence; "" if unsure."""
    recurring = names(sentence.text for sentence in told)
    if recurring:
        return recurring[0]
    for sentence in told:
        match = _SUBJECT.match(sentence.text)
        if match and match[1].lower() not in _NO_SUBJECT:
            return match[1]
    return ""


def _thing(sentence: str) -> str:
    """Return a thing the sentence mentions, with its article, or ""."""
    if match := _THING_ZH.search(sentence):
        return f"那{match[1]}{match[2]}"
    for match in _THING_EN.finditer(sentence):
        word = match[1]
        if word not in _NO_THING and word not in STOPWORDS and not word.endswith("ly"):
            return f"the {word}"
    return ""
