"""Prose as text: its sentences and its quoted speech, in Chinese and English."""
