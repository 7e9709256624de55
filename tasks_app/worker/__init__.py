"""The worker: one asyncio loop in each process of django-q2's cluster, which claims tasks from MongoDB in groups and runs hundreds of them at once.

`cluster` starts and guards the processes, `worker` is what runs in each; it claims (`claims`, within `limits`), runs (`attempt`, `context`), keeps the
leases (`leases`) and writes what became of the tasks (`outbox`).
"""
