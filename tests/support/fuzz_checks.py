"""What `tests/fuzz.py` has schemathesis check besides its own checks. Loaded by schemathesis, by the name in its configuration."""

import schemathesis
from schemathesis.core.failures import Failure

# A request that fits the document is refused with 400, 413 or 415 only for these reasons: what is stored, or what JSON Schema cannot say.
MEANT = {
    "page_too_deep",  # page and size together
    "end_before_start", "unknown_act", "unknown_chapter", "unknown_ai_config",  # what is stored, or configured
    "title_missing", "title_too_long", "invalid_text", "duplicate_id",  # white space around it is not counted; control characters; the same id twice
    "content_too_large", "summary_too_large",  # bytes, not characters
    "unknown_format", "empty_file", "empty_novel", "binary_file", "unknown_encoding", "broken_epub",  # a file's name and content
}  # fmt: skip


@schemathesis.check
def only_meant_refusals(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """A request that fits the document is not called malformed."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 406, 413, 415):
        return
    problem = response.json()
    if problem["code"] not in MEANT:
        raise Failure(operation=case.operation.label, title="A request that fits the document is refused", message=f"{problem['code']}: {problem}")
