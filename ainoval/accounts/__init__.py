"""Users, with a UUID as key from the first migration, and how they log in."""
