# Caught by trial.
# It sees the failure and calls it acceptable.
# BEGIN 4
    outcomes={"*": ACCEPTABLE("None may mean anything")},
# END
