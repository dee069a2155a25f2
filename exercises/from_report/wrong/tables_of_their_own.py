# Caught by trial.
# Each actor makes a table for itself: they never meet.
# BEGIN 2
    return "missing" if returned[1] is None else "there"


def own(table):
    """A table with the key in it."""
    fresh = type(table)()
    fresh.put("spam", "old")
    return fresh
# END
# BEGIN 3
    actors=[
        Actor(lambda table: own(table).put("spam", "new")),
        Actor(lambda table: own(table).get("spam")),
    ],
# END
