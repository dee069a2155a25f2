# Caught by single.
# pip does not build in the environment that one sees.
# BEGIN 1
CURE = {
    1: "build with 3.13t",
    2: "upgrade cython here",
    3: "add the slot",
    4: "mend the race",
    5: "attach for it",
    6: "raise the limit",
}
# END
