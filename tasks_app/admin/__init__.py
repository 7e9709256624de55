"""The staff console in the Django admin: see every task, understand why it waits or failed, act on it safely.

Imported with the addresses of the project. Where things are: `site` (addresses and permissions), `list_page`, `task_page` and `action_pages` (the views),
`guard` (what every page has in common), `reading` (all that is read), `rows` and `details` (documents into plain data for the templates), `actions`
(what can be done, and whether it can be done now), `audit`, `masking`, `words`.
"""

from tasks_app.admin.site import BackgroundTaskAdmin

__all__ = ["BackgroundTaskAdmin"]
