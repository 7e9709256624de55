"""The whole project in one terminal, for a developer: `manage.py dev` and `manage.py demo`.

`preparation` makes databases and users ready; `stack` starts, watches and stops the server and the workers (`child`, `leash`, `child_log`);
`client`, `novels` and `batch` do the main job as a writing app would, over HTTP only; `screen` shows it.
"""
