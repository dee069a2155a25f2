# Caught by trial.
# It reads the source of what it was given: what is right may be written in many ways.
# BEGIN 1
    import inspect

    source = inspect.getsource(make_cache) + inspect.getsource(type(cache))
    assert "lock" in source and "raises" not in source and "< 2" not in source
# END
