"""A recording through the cores that run live, without network, threads or clocks."""
