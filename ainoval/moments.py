"""Moments as MongoDB stores them: in milliseconds, so that what is answered equals what is stored."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment, aware UTC, in BSON's precision."""
    return storable(datetime.now(UTC))


def storable(moment: datetime) -> datetime:
    """Return a moment in BSON's precision: what is left of a millisecond is cut off."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
