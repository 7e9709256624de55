"""One file for each task type. Every module here is imported at start: adding a type is adding a file."""
