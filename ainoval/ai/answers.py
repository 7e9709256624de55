"""Pure cleaning of what a model sent: its thinking aloud off, a cut ending back to the last whole sentence."""

import re

from ainoval.ai.prose.sentences import finished

# Reasoning models behind servers without a reasoning parser (DeepSeek-R1, Qwen3) think inside the text.
_REASONING = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)


def without_reasoning(text: str) -> str:
    """Return the text without a leading `<think>` block (an unclosed one takes everything) and outer blanks."""
    return _REASONING.sub("", text, count=1).strip()


def whole_sentences(text: str) -> str:
    """Return the text up to its last whole sentence, or "" when no sentence ends in it."""
    lines = text.splitlines(keepends=True)
    while lines:
        if end := finished(lines[-1]):
            return "".join(lines[:-1]) + end
        lines.pop()
    return ""
