# Caught by single.
# Four of these commands succeed before anything is mended.
# BEGIN 2
PROOF = {
    1: "pip install",
    2: "cython",
    3: "quiet import",
    4: "output",
    5: "call",
    6: "tsan",
}
# END
