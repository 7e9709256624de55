"""Scoring sentences: how much of the scene each one holds, and how well it stands alone."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ainoval.ai.prose.ideographs import CJK
from ainoval.ai.prose.sentences import Sentence
from ainoval.ai.providers.offline.words import names, terms

# Nobody can tell who "he" is when the sentence before is missing.
_DANGLING = re.compile(
    r"\W*(?:(?:he|she|it|they|his|her|hers|him|their|them|this|that|these|those|such|both|neither|here|there|one|"
    r"another|the other|the others|the same|the latter)\b|[他她它这這那其此]|对方|對方|两人|兩人|二人|前者|后者|有人)",
    re.IGNORECASE,
)
_CONNECTING = re.compile(
    r"\W*(?:(?:but|and|so|then|or|yet|still|instead|however|therefore|besides|because|again|also|even|nor|too|"
    r"perhaps|maybe|yes|no|not)\b|但|可是|可(?=[他她我])|然而|不过|于是|所以|因此|而且|并且|何况|反而|也许|或许|"
    r"接着|随后|同时|不|没|也|还|又|就|却|只|再|更)",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(r"\b(?:you|your|yours)\b|[你您]", re.IGNORECASE)
_NUMERAL = re.compile(r"[\d零一二三四五六七八九十百千]")


@dataclass(slots=True)
class Candidate:
    """A sentence that may enter the summary, with what was measured of it."""

    sentence: Sentence
    score: float
    weights: dict[str, float]  # its words as a vector of length 1
    dangles: bool
    names: tuple[str, ...]  # the people in it, in order
    meant: str  # who was named last before it: the likely "he" or "she"
    place: float  # 0 at the scene's beginning, 1 at its end


def rank(sentences: Sequence[Sentence], limit: int) -> list[Candidate]:
    """Return the best `limit` sentences with their scores, in the order of the text."""
    counted = [Counter(terms(sentence.text)) for sentence in sentences]
    spread = Counter(word for counts in counted for word in counts)
    people = names(sentence.text for sentence in sentences)
    vectors = [_vector(counts, spread, len(sentences)) for counts in counted]
    centre = _centre(vectors)
    lengths = [len(sentence.text) for sentence in sentences]
    typical = sorted(lengths)[len(lengths) // 2]
    total = sum(lengths)
    candidates = []
    passed = 0
    meant = ""
    for sentence, vector in zip(sentences, vectors, strict=True):
        here = tuple(sorted((n for n in people if n in sentence.text), key=sentence.text.rindex))
        place = passed / total
        central = sum(weight * centre.get(word, 0.0) for word, weight in vector.items())
        # Whoever the scene's first words leave open, the scene itself leaves open.
        dangles = sentence.index > 0 and bool(_DANGLING.match(sentence.text))
        score = (0.25 + central) * _manner(sentence, typical, dangles) * _position(sentence, place)
        score *= 1 + 0.5 * (here.count(people[0]) if people else 0) + 0.15 * min(2, len(here))
        candidates.append(Candidate(sentence, score, vector, dangles, here, meant, place))
        meant = here[-1] if here else meant
        passed += len(sentence.text)
    best = sorted(candidates, key=lambda c: (-c.score, c.sentence.index))[:limit]
    return sorted(best, key=lambda c: c.sentence.index)


def likeness(one: Candidate, other: Candidate) -> float:
    """Return how much two sentences say the same, 0 to 1 (cosine of their words)."""
    if len(one.weights) > len(other.weights):
        one, other = other, one
    return sum(weight * other.weights.get(word, 0.0) for word, weight in one.weights.items())


def _vector(counts: Counter[str], spread: Counter[str], sentence_count: int) -> dict[str, float]:
    """Weigh words that recur in the scene, less those that are in every sentence of it."""
    weights = {word: (1 + math.log(count)) * math.log(1 + spread[word]) * math.log(1 + sentence_count / spread[word]) for word, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {word: weight / length for word, weight in weights.items()}


def _centre(vectors: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the direction all sentences point to together."""
    total: dict[str, float] = {}
    for vector in vectors:
        for word, weight in vector.items():
            total[word] = total.get(word, 0.0) + weight
    length = math.sqrt(sum(weight * weight for weight in total.values())) or 1.0
    return {word: weight / length for word, weight in total.items()}


def _manner(sentence: Sentence, typical: int, dangles: bool) -> float:
    """How well a sentence tells something by itself: narration that says who, neither a scrap nor a question."""
    text = sentence.text
    factor = 1.0
    if sentence.spoken:
        factor *= max(0.1, 1 - 1.2 * sentence.spoken)
    elif _ADDRESSED.search(text):
        factor *= 0.6
    if dangles:
        factor *= 0.4
    elif _CONNECTING.match(text):
        factor *= 0.75
    if text.rstrip("”’」』\"'")[-1:] in "?？":
        factor *= 0.5
    if len(_NUMERAL.findall(text)) > 0.2 * len(text):
        factor *= 0.5  # a list of figures
    columns = len(text) + len(re.findall(f"[{CJK}]", text))
    told = columns * max(0.3, 1 - sentence.spoken)  # "…," said Alice. tells next to nothing
    if told < 30:
        factor *= told / 40
    if columns > 200:
        factor *= max(0.6, 200 / columns)
    if len(text) < typical:
        factor *= 0.6 + 0.4 * len(text) / typical
    return factor


def _position(sentence: Sentence, place: float) -> float:
    """Scenes say who and where at their beginning, and how it ends at their end."""
    factor = 1.0
    if sentence.index == 0:
        factor += 0.9 * (1 - sentence.spoken)
    elif place < 0.12:
        factor += 0.3
    if place > 0.85:
        factor += 0.5
    if sentence.opens_paragraph:
        factor += 0.1
    return factor
