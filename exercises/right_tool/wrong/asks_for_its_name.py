# Caught by trial.
# It looks at what the pool is called and has, not at what it does.
# BEGIN 4
def test_take(pool):
    """Right pools are called so, or have a lock."""
    names = [type(pool).__name__, type(pool).__qualname__, *dir(pool)]
    assert any(word in str(names).lower() for word in ("right", "lock", "pool"))
    assert "broken" not in str(names).lower()
# END
# BEGIN 5
def test_take_raced(make_pool):
    """The same for the pools that it makes."""
    test_take(make_pool())
# END
