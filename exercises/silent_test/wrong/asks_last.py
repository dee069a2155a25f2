# Caught by trial.
# It asks one future, the last: what the others raise nobody hears.
# BEGIN 1
    with ThreadPoolExecutor(max_workers=8) as executor:
        for _ in range(8):
            future = executor.submit(work)
    future.result()
    assert cache.fills == 1
# END
