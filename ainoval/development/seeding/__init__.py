"""A database as it looks after a month of work, made in minutes: for measuring, for screenshots, for trying the console.

`plan` says how much of everything, `library` makes writers, novels and scenes, `lives` takes single tasks through the core's own transitions, `batches` does
so with parents and their children, `live` leaves some in the middle of their lives, one stuck for each reason to wait, and `store` writes it all down, with
the counts of what ended.
"""
