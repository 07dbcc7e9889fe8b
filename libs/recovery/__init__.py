"""Recovery: what a sender remembers and serves, and what a receiver asks for (wire.md, *Sequence, sessions*)."""
