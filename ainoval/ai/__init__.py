"""The AI that writes: one service, profiles that choose a provider, errors that say whether a repeat could help."""
