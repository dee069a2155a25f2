# Caught by trial.
# It asks when nobody moves any more: by then the key is back.
# BEGIN 2
    return "missing" if _table.get("spam") is None else "there"
# END
