"""The offline provider: no network, no model, the same answer every time."""
