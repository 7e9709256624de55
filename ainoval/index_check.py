"""Comparing the indexes that the documents declare with those that MongoDB has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database

from ainoval import indexes

Json = dict[str, Any]

# What an index does; the rest (its version, how it was built) may differ between servers.
_OPTIONS = ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression", "collation")


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its keys in order, and those options that change what it does."""

    name: str
    keys: tuple[tuple[str, Any], ...]
    options: Json

    @classmethod
    def of(cls, name: str, keys: Sequence[tuple[str, Any]], options: Mapping[str, Any]) -> "Index":
        """Return the index with its options in one form: what is off or empty is left out."""
        kept = {option: options[option] for option in _OPTIONS if options.get(option) is not None and options[option] is not False}
        return cls(name, tuple((key, int(way) if isinstance(way, float) else way) for key, way in keys), kept)

    def model(self) -> IndexModel:
        """Return what creates the index."""
        return IndexModel(list(self.keys), name=self.name, **self.options)

    def __str__(self) -> str:
        keys = ", ".join(f"{key} {way}" for key, way in self.keys)
        return f"({keys})" + "".join(f" {option}={value}" for option, value in self.options.items())


@dataclass(slots=True)
class Comparison:
    """How a collection's indexes differ from the declared ones: by name, keys or options."""

    collection: str
    same: list[Index] = field(default_factory=list)
    missing: list[Index] = field(default_factory=list)
    different: list[tuple[Index, Index]] = field(default_factory=list)
    extra: list[Index] = field(default_factory=list)


def declared() -> dict[str, list[Index]]:
    """Return the declared indexes of each collection."""
    found = {}
    for document in indexes.documents():
        specs: list[Json] = document._meta["index_specs"]
        found[document._get_collection_name()] = [Index.of(spec["name"], spec["fields"], spec) for spec in specs]
    return found | {"django_q_packages": [Index.of("due", [("queue", 1), ("dueAt", 1)], {})]}


async def compare(db: AsyncDatabase[Json]) -> list[Comparison]:
    """Compare all collections, in the order of their names."""
    existing_collections = set(await db.list_collection_names())
    return [_compared(name, wanted, await db[name].index_information() if name in existing_collections else {}) for name, wanted in sorted(declared().items())]


def _compared(collection: str, wanted: list[Index], information: Mapping[str, Any]) -> Comparison:
    there = {name: Index.of(name, options["key"], options) for name, options in information.items() if name != "_id_"}
    comparison = Comparison(collection)
    for index in wanted:
        found = there.pop(index.name, None)
        if found is None:
            comparison.missing.append(index)
        elif found == index:
            comparison.same.append(index)
        else:
            comparison.different.append((index, found))
    comparison.extra = list(there.values())
    return comparison


async def create_missing(db: AsyncDatabase[Json], comparisons: Sequence[Comparison]) -> int:
    """Create what is missing; return how many. Indexes that differ are left: replacing one is the operator's decision, for it slows the system meanwhile."""
    count = 0
    for comparison in comparisons:
        if comparison.missing:
            await db[comparison.collection].create_indexes([index.model() for index in comparison.missing])
            count += len(comparison.missing)
    return count


def drop_different(database: Database[Json]) -> list[str]:
    """Drop each index that has a declared one's name and is another; return their names. For a server of the project's own, whose indexes are soon built."""
    dropped = []
    for collection, wanted in declared().items():
        for _, found in _compared(collection, wanted, database[collection].index_information()).different:
            database[collection].drop_index(found.name)
            dropped.append(f"{collection}.{found.name}")
    return dropped
