"""`crossbook doctor`: why no data arrives, or why it is lost, each with its mend."""
