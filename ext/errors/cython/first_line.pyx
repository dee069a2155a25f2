# cython: freethreading_compatible=True
def twice(x):
    return x + x
