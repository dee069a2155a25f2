# Caught by single.
# More rounds give a first request no second chance, and a round that hangs is the last one.
# BEGIN 2
    "a": "rounds",
    "b": "rounds",
    "c": "rounds",
# END
