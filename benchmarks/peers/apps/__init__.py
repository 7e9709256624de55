"""The peers' applications: the same two tasks for each, queued and submitted as its documentation shows. Run in the peers' own environment.

Each module has `queue(task, number)`, which queues many, and `submit()`, which submits one no-op task and returns when it is accepted; both are coroutine
functions. `task` is "noop" or "wait".
"""
