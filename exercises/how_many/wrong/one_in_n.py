# Caught by single.
# After 1/rate runs one failure is expected, and about one time in three there is none.
# BEGIN 3
PROCESSES = 400
PROCESSES_AT_LOW = round(1 / night.low)
MINUTES_AT_LOW = PROCESSES_AT_LOW / 20 / 60
# END
