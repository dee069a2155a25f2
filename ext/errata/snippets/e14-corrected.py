import threading


class Local(threading.local):
    def __init__(self):  # this runs in every thread that looks at it
        self.cache = {}


local = Local()


def lookup(key):
    return local.cache.setdefault(key, len(key))
