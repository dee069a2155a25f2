# Caught by trial.
# Twice is once too often, and this test lets it pass.
# BEGIN 1
    with ThreadPoolExecutor(max_workers=8) as executor:
        done = [executor.submit(work) for _ in range(8)]
    for future in done:
        future.result()
    assert cache.fills <= 2
# END
