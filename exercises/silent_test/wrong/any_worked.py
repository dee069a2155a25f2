# Caught by trial.
# One thread that came through is enough for it: it is to be all of them.
# BEGIN 1
    with ThreadPoolExecutor(max_workers=8) as executor:
        done = [executor.submit(work) for _ in range(8)]
    assert any(future.exception() is None for future in done)
    assert cache.fills == 1
# END
