# Caught by single.
# Poisoned memory has no stack of who freed it: to name a thread is to guess.
# BEGIN 4
LAMP_READ_BY, LAMP_READ_AT = "T1", 43
LAMP_FREED_BY = "T2"
# END
# BEGIN 5
GAVE_BACK_AT = 1042
# END
