# Caught by trial.
# Who comes first may well see the old value: it forbids what correct code does.
# BEGIN 2
    return "new" if returned[1] == "new" else "not the new one"
# END
# BEGIN 4
    outcomes={"new": ACCEPTABLE("the new value"), "not the new one": FORBIDDEN("stale")},
# END
