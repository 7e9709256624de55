"""What can go wrong before there is a MongoDB to talk to."""

from ainoval.errors import AinovalError


class MongodUnavailable(AinovalError):
    """The project's own MongoDB server cannot be used: set MONGODB_URI to a server of yours.

    For the person at the terminal: the message may quote mongod's log, so it is never shown to a client of the API.
    """

    code = "mongod_unavailable"
