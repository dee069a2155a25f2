# Caught by trial.
# It looks at what the cache is called and has, not at what it does.
# BEGIN 1
    names = [make_cache.__name__, make_cache.__qualname__, type(cache).__name__, *dir(cache)]
    assert any(word in str(names).lower() for word in ("right", "lock", "make_cache"))
    assert not any(word in str(names).lower() for word in ("broken", "twice", "raises"))
# END
