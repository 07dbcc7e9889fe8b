"""Seeded fault schedules through the same cores that run live, under a virtual clock and network."""
