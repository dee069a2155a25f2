# Caught by trial.
# Without a check only a crash, a hang or an exception is a failure.
# BEGIN 5
def test_take_raced(race, make_pool):
    """Two threads, two buffers."""
    race("take", "take", setup=make_pool)
# END
