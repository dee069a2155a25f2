# Caught by single.
# Percent where fractions are asked for.
# BEGIN 2
LOW = 0.0063
HIGH = 1.38
# END
