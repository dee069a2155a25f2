# Caught by trial.
# It gives the buffer back while its id is still in the set: whoever takes it next sees it there, and nothing is wrong.
# BEGIN 4
def test_take(pool):
    """What this thread was given, nobody else has at the same time."""
    buffer = pool.take()
    assert id(buffer) not in in_use
    in_use.add(id(buffer))
    time.sleep(0.001)
    pool.give_back(buffer)
    in_use.discard(id(buffer))
# END
