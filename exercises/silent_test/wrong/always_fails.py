# Caught by trial.
# It fails on every cache: a test that cannot pass says as little as one that cannot fail.
# BEGIN 1
    work_done = False
    assert work_done, "the cache is broken"
# END
