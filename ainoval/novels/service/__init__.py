"""Reading and changing novels and scenes: what edges and executables use.

Every method takes the id of the user on whose behalf it acts. Another user's novel, a missing one and a malformed id are the same error, so an answer
never tells whether somebody else's novel exists.
"""

from ainoval.novels.service.novels import NovelService
from ainoval.novels.service.scenes import SceneService

__all__ = ["NovelService", "SceneService"]
