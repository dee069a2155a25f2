# Caught by single.
# A critical section needs an attached thread itself; ASLR is not what the last message is about.
# BEGIN 1
CURE = {
    1: "rename the wheel",
    2: "raise the pin",
    3: "add the slot",
    4: "mend the race",
    5: "begin a section",
    6: "setarch -R",
}
# END
