"""One package an exchange: its JSON to normalised events, and its sequence rules. No I/O."""
