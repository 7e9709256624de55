"""The database of scenario S4, whose calls fail: what is raised for a group of writes that was executed by half."""

from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout, NotPrimaryError

from benchmarks.torture.faults.injection import Dice, Faulty
from tests.support.stored import Db


class Loaded(Dice):
    """Dice that show the same face each time."""

    def throw(self, *, group: bool = False) -> str | None:
        """Return `half` for each group of writes."""
        return "half" if group else None


async def test_a_group_executed_by_half_fails_by_its_connection_even_if_its_half_was_there_already(db: Db, tmp_path: Path) -> None:
    faulty = Faulty(db, Loaded(str(tmp_path / "faults")))

    for _ in range(2):
        with pytest.raises((AutoReconnect, NetworkTimeout, NotPrimaryError)):
            await faulty["things"].insert_many([{"_id": number} for number in range(4)], ordered=False)

    assert [thing["_id"] async for thing in db["things"].find()] == [0, 1]
    assert (tmp_path / "faults").read_text() == "half insert_many\n" * 2
