"""racelab: race native extension code, count how often it fails, and say how sure the count is."""
