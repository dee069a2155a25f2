# Caught by single.
# A variable and an option: both messages are gone, and both causes are not.
# BEGIN 1
CURE = {
    1: "build with 3.13t",
    2: "raise the pin",
    3: "PYTHON_GIL=0",
    4: "exitcode=0",
    5: "attach for it",
    6: "raise the limit",
}
# END
