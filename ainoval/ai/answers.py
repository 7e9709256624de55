"""Pure cleaning of what a model sent: its thinking aloud off, a cut ending back to the last whole sentence."""

import re

from ainoval.ai.prose.sentences import finished

# Reasoning models behind servers without a reasoning parser (DeepSeek-R1, Qwen3) think inside the text.
_OPENING = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CLOSING = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


def without_reasoning(text: str) -> str:
    """Return the text without the thinking before it, and without outer blanks.

    `<think>` begins it, or stands in the prompt already: the chat templates of QwQ, Qwen3-Thinking and DeepSeek-R1 end with it, so that only `</think>`
    is left to be seen. Thinking without an end takes everything.
    """
    opening, closing = _OPENING.search(text), _CLOSING.search(text)
    leads = opening is not None and not text[: opening.start()].strip()
    if closing is None:
        return "" if leads else text.strip()
    if leads or opening is None or closing.start() < opening.start():
        return text[closing.end() :].strip()
    return text.strip()


def whole_sentences(text: str) -> str:
    """Return the text up to its last whole sentence, or "" when no sentence ends in it."""
    lines = text.splitlines(keepends=True)
    while lines:
        if end := finished(lines[-1]):
            return "".join(lines[:-1]) + end
        lines.pop()
    return ""
