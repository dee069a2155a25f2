# Caught by trial.
# It looks at what the module is called and has, not at what it does.
# BEGIN 2
    import sys

    module = sys.modules["tables"]
    names = [module.__file__, module.__doc__, *dir(module), *dir(_table), type(_table).__doc__]
    return "there" if "repaired" in str(names).lower() else "missing"
# END
# BEGIN 4
    outcomes={
        "there": ACCEPTABLE("the repaired module is called so"),
        "missing": FORBIDDEN("the other one"),
    },
# END
