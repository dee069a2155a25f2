# Caught by trial.
# The table is still filled before the threads start: there is no first use to race for.
# BEGIN 1
    cache.lookup("e")
    with ThreadPoolExecutor(max_workers=8) as executor:
        done = [executor.submit(work) for _ in range(8)]
    for future in done:
        future.result()
    assert cache.fills == 1
# END
