# Caught by single.
# audit() has taken `cash`, and given it back three lines before the one in which it stands.
# BEGIN 2
2: {"cash": 39},
3: {},
4: {"stock": 26},
5: {"cash": 50, "log": 53},
# END
