# Caught by single.
# Two locks in the headings are not one lock: M0 and M1 were made in two places.
# BEGIN 2
PUT_HOLDS, CHANGE_HOLDS = "coins_lock", "coins_lock"
# END
