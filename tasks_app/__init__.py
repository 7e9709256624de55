"""Background tasks: submit, watch, cancel, retry, apply.

Where things are: `states` (the state machine), `lifecycle` (every change of a status), `executable` (what a task author writes), `operations` (what the
edges call), `queries` (reads), `worker/` (claims and runs tasks), `maintenance` (sweeps). `docs/architecture.md` draws how a task travels.
"""
