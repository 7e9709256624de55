"""Ids: 24 hexadecimal characters, as AINoval's other programs write them.

New ids are ObjectIds (they rise with time, so the newest documents are neighbours in the `_id` index). Derived ids make a repeat harmless: the same
parts always name the same document, so a second insert meets the first one instead of making a twin.
"""

import hashlib

from bson import ObjectId

ID_LENGTH = 24


def new_id() -> str:
    """Return a fresh id."""
    return str(ObjectId())


def derived_id(*parts: str) -> str:
    """Return the id that these parts always have (SHA-256 over their lengths and bytes, the first 96 bits)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()[:ID_LENGTH]
