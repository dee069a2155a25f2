"""silent_test.py: a test of a cache that is filled on first use. It has been green for a year.

Goal   test_cache_is_filled_once(make_cache) fails on a cache that fills its table twice, and passes
       on one that does not. make_cache() gives a new, empty cache: lookup(name), and fills, how
       often the table was filled.
Check  racelab check silent_test        Stuck?  racelab hint silent_test
"""

import threading
from concurrent.futures import ThreadPoolExecutor


def test_cache_is_filled_once(make_cache):
    """Eight threads look something up; the table is filled once."""
    cache = make_cache()
    barrier = threading.Barrier(8)

    def work():
        barrier.wait(timeout=10)
        value = cache.lookup("pi")
        assert value is cache.lookup("pi")

    # BEGIN STARTER
    # cache.lookup("e")
    # with ThreadPoolExecutor(max_workers=8) as executor:
    #     for _ in range(8):
    #         executor.submit(work)
    # assert cache.fills <= 8
    # BEGIN SOLUTION
    with ThreadPoolExecutor(max_workers=8) as executor:
        done = [executor.submit(work) for _ in range(8)]
    for future in done:
        future.result()
    assert cache.fills == 1
    # END
