# Caught by trial.
# What the threads raise stays in futures that nobody asks.
# BEGIN 1
    with ThreadPoolExecutor(max_workers=8) as executor:
        for _ in range(8):
            executor.submit(work)
    assert cache.fills == 1
# END
