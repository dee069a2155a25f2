# Caught by single.
# race_top: looks at the uppermost frame, and no purse is there.
# BEGIN 4
HIDE = ["race:purse", "race:^purse_put$", "race_top:purse", "race_top:count_up"]
# END
