"""What happened, write by write: MongoDB's own log (the oplog) of a collection, replayed into the states that every document went through.

The log holds each write in the order in which the server made it, with the server's time. It cannot miss a state that lasted a millisecond, and nobody
whom the judge judges writes it.

Source of the format of an update's differences: https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/db/update/document_diff_serialization.h
"""

import copy
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database

Json = dict[str, Any]
Histories = dict[str, "list[Change]"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write of one document.

    Attributes:
        at: The server's time.
        order: Rises with each write on the server, whatever the collection.
        before, after: The whole document; None before its insertion and after its deletion.
    """

    at: datetime
    order: tuple[int, int]
    before: Json | None
    after: Json | None

    @property
    def statuses(self) -> tuple[str | None, str | None]:
        """The status before and after."""
        return (self.before or {}).get("status"), (self.after or {}).get("status")


def read(db: Database[Json], collection: str) -> Histories:
    """Return the history of each document of a collection, by its id."""
    histories: Histories = defaultdict(list)
    current: dict[Any, Json] = {}
    for entry, operation in _entries(db, collection):
        match operation["op"]:
            case "i":
                key, after = operation["o"]["_id"], operation["o"]
            case "u":
                key = operation["o2"]["_id"]
                after = _updated(current[key], operation["o"])
            case "d":
                key, after = operation["o"]["_id"], None
            case _:
                continue
        before = current.get(key)
        histories[str(key)].append(Change(entry["wall"], (entry["ts"].time, entry["ts"].inc), before, after))
        if after is None:
            current.pop(key, None)
        else:
            current[key] = after
    return dict(histories)


def _entries(db: Database[Json], collection: str) -> Iterator[tuple[Json, Json]]:
    """Yield the log's entries about a collection, those of a transaction or of a grouped insert one by one."""
    name = f"{db.name}.{collection}"
    for entry in db.client["local"]["oplog.rs"].find({"$or": [{"ns": name}, {"o.applyOps.ns": name}]}).sort("$natural", 1):
        if "applyOps" in entry["o"]:
            yield from ((entry, operation) for operation in entry["o"]["applyOps"] if operation["ns"] == name)
        else:
            yield entry, entry


def _updated(document: Json, update: Json) -> Json:
    if update.get("$v") != 2:
        return update  # the whole document, where the difference would have been longer
    changed = copy.deepcopy(document)
    apply_difference(changed, update["diff"])
    return changed


def apply_difference(document: Json, difference: Json) -> None:
    """Apply the difference that the log states to a document, in place."""
    for name in difference.get("d", {}):
        document.pop(name, None)
    for section in ("u", "i"):
        document.update(difference.get(section, {}))
    for name, inner in difference.items():
        if name.startswith("s"):
            target = document[name[1:]]
            if inner.get("a"):
                _apply_to_array(target, inner)
            else:
                apply_difference(target, inner)


def _apply_to_array(array: list[Any], difference: Json) -> None:
    if "l" in difference:
        del array[difference["l"] :]
    for name, value in difference.items():
        if name in ("a", "l"):
            continue
        index = int(name[1:])
        if name.startswith("s"):
            _apply_to_array(array[index], value) if value.get("a") else apply_difference(array[index], value)
        else:
            array.extend([None] * (index + 1 - len(array)))
            array[index] = value
