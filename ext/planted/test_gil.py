"""A test that imports, deep inside, a module that says nothing about the GIL."""


def test_import():
    import interpreter_broken

    assert interpreter_broken
