"""Pure cleaning of what a model sent: its thinking aloud off, a cut ending back to the last whole sentence."""

import re

# Reasoning models behind servers without a reasoning parser (DeepSeek-R1, Qwen3) think inside the text.
_REASONING = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?:[。！？!?…]|(?<![A-Z])\.(?=[\"'”’)\]]*(?:\s|\Z)))[\"'”’」』）)\]]*")


def without_reasoning(text: str) -> str:
    """Return the text without a leading `<think>` block (an unclosed one takes everything) and outer blanks."""
    return _REASONING.sub("", text, count=1).strip()


def whole_sentences(text: str) -> str:
    """Return the text up to its last sentence end, or "" when no sentence ends in it."""
    end = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
    return text[:end].rstrip()
