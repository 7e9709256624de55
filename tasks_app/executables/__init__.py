"""One file for each task type. Every module here is imported at start: adding a type is adding a file."""

import importlib
import pkgutil

for module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(module.name)
