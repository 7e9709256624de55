"""The reliability scorecard: nine scenarios that do harm to the real system and count what came of it.

    make torture                        all nine, at most fifteen minutes on two cores
    python -m benchmarks.torture S1     one; `--seed`, `--size quick|full|nightly`, `--control`

A scenario sets the system to work, harms it, waits until it has settled, and hands what is stored to the judge. The judge (`judge`) believes no scenario and
no worker: it reads the tasks, the ledger of effects, and MongoDB's own log of every write in its order (`history`), through a connection of its own.
"""
