# Caught by trial.
# It compares what is in the buffers: two new ones are equal, and not the same.
# BEGIN 5
def different(_pool, returned, _threads):
    """Whether two calls returned two buffers."""
    return returned[0] != returned[1]


def test_take_raced(race, make_pool):
    """Two threads, two buffers."""
    race("take", "take", setup=make_pool, check=different)
# END
