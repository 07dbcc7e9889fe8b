"""Hash chains that say whether two runs saw the same bytes."""
