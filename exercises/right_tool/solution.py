"""right_tool.py: a test of a pool of buffers. It has passed in a thousand sessions of pytest-run-parallel.

    pool.take()               removes a buffer from the pool's list; makes a new one if it is empty
    pool.give_back(buffer)    puts one back

A test gets the fixtures that it names, as always in pytest:

    make_pool    a function: a new pool of four buffers
    pool         one pool, the same for all threads of a test
    race         racelab's

Goal   Both tests fail on a pool that gives one buffer to two threads, and pass on one that does not.
       And before that, name a mode of race() for each of three reports.
Check  racelab check right_tool        Stuck?  racelab hint right_tool
"""

# BEGIN SOLUTION
import time

# END
# Which mode of race() shows it: "rounds", "cold" or "hang"?
MODE = {
    # BEGIN STARTER
    # "a": None,  # "The test suite sometimes hangs since we added a second lock."
    # "b": None,  # "On the first request after a restart, two users once got different objects."
    # "c": None,  # "After an hour under load a statistics counter is some thousand short."
    # BEGIN SOLUTION
    "a": "hang",  # "The test suite sometimes hangs since we added a second lock."
    "b": "cold",  # "On the first request after a restart, two users once got different objects."
    "c": "rounds",  # "After an hour under load a statistics counter is some thousand short."
    # END
}

# BEGIN SOLUTION
in_use = set()  # ids of buffers, for all threads
# END


# pytest-run-parallel calls it in eight threads at once, four times in each. The check does so, too,
# and takes its time between any two of your lines.
# BEGIN STARTER
# def test_take(make_pool):
#     """Four buffers are four buffers."""
#     pool = make_pool()
#     taken = [pool.take() for _ in range(4)]
#     assert len(set(map(id, taken))) == 4
# BEGIN SOLUTION
def test_take(pool):
    """What this thread was given, nobody else has at the same time."""
    buffer = pool.take()
    assert id(buffer) not in in_use
    in_use.add(id(buffer))
    time.sleep(0.001)  # have it for a while: others see it only as long as it is in use
    in_use.discard(id(buffer))
    pool.give_back(buffer)
    # END


# Two threads take a buffer each from a new pool, and something must hold when both are done.
# BEGIN STARTER
# def test_take_raced(race, make_pool):
#     """Two threads, two buffers."""
#     race("take", "take", setup=make_pool, check=lambda pool: pool is not None)
# BEGIN SOLUTION
def different(_pool, returned, _threads):
    """Whether two calls returned two buffers, equal or not."""
    return returned[0] is not returned[1]


def test_take_raced(race, make_pool):
    """Two threads, two buffers."""
    race("take", "take", setup=make_pool, check=different)
    # END
