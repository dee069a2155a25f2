# Caught by trial.
# One actor on one thread: nobody comes in between.
# BEGIN 2
    return "missing" if None in returned else "there"
# END
# BEGIN 3
    threads=1,
    actors=[Actor(lambda table: table.put("spam", "new") or table.get("spam"))],
# END
