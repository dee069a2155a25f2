# Caught by trial.
# Each call still makes a pool of its own: no two threads share one, so there is nothing to race for.
# BEGIN 4
def test_take(make_pool):
    """What this thread was given, nobody else has at the same time."""
    pool = make_pool()
    buffer = pool.take()
    assert id(buffer) not in in_use
    in_use.add(id(buffer))
    time.sleep(0.001)
    in_use.discard(id(buffer))
    pool.give_back(buffer)
# END
