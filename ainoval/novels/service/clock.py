"""The time that new documents carry."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in BSON's precision (milliseconds), so that what is returned equals what is stored."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
