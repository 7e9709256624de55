"""Providers: where text comes from."""
