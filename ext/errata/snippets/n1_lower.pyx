# cython: freethreading_compatible=true
def twice(x):
    return x + x
