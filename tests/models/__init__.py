"""Models that tests train."""
