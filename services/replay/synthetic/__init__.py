"""A seeded synthetic market: many symbols on several exchanges, as fast as it is wanted."""
