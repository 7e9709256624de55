"""Novels and their scenes: the writing that background tasks work on."""
