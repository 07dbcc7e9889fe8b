"""Events to lines: composer, outbox, paced sender, transmission with faults by a seed (replay and feeder share it)."""
