"""The project's own mongod: started on demand, shared by every process of ours, stopped by the last of them.

Used when no `MONGODB_URI` is set. A pure function of the data folder: nothing here reads Django's settings.

    uri = ensure_running(Path("var"))      # "mongodb://127.0.0.1:27431/?replicaSet=rs0", a writable primary

`sharing` knows by file locks which processes use it; `server` starts, adopts and ends one mongod; `folder` is what it
keeps on disk; `replica_set` talks to it; `binary` finds the program; `ports` a port.
"""

from ainoval.mongod.binary import find_binary
from ainoval.mongod.errors import MongodUnavailable
from ainoval.mongod.sharing import ensure_running, running_pid, stop_if_last

__all__ = ["MongodUnavailable", "ensure_running", "find_binary", "running_pid", "stop_if_last"]
