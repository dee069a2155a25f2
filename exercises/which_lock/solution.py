"""which_lock.py: the locks of a wrapper around a library for sound files.

    int snd_init(const char *device);          once, in Py_mod_exec, before all others
    sound *snd_open(const char *path);         NULL: ask snd_last_error()
    long snd_read(sound *s, ...);              -1: the same
    double snd_length(const sound *s);         seconds; decodes if need be; -1: the same
    void snd_set_volume(double volume);        of the one output device
    const char *snd_last_error(void);          of the last call that failed

What the documentation, nm and readelf show of its state:

    place                         who writes                      who reads
    what is in a sound            snd_read, snd_length            the same
    the text of the last error    every call that fails           snd_last_error
    the volume of the device      snd_set_volume                  nobody else

Goal   No two calls use one place without a common lock, and no call waits for another one without
       need. One interpreter. Locks are held for the whole call:
       "none"     "sound": that of its sound     "library": the one of the library     "both"
Check  racelab check which_lock        Stuck?  racelab hint which_lock
"""

# readelf calls the text of the last error OBJECT: it is a static buffer.
STATIC = {
    # BEGIN STARTER
    # "snd_init": "none",
    # "snd_open": "none",
    # "snd_read": "sound",
    # "snd_length": "none",
    # "snd_set_volume": "library",
    # "snd_last_error": "library",
    # BEGIN SOLUTION
    "snd_init": "none",
    "snd_open": "library",
    "snd_read": "both",
    "snd_length": "both",
    "snd_set_volume": "library",
    "snd_last_error": "library",
    # END
}

# In the next release readelf calls it TLS: it is thread-local.
THREAD_LOCAL = {
    # BEGIN STARTER
    # "snd_init": None,
    # "snd_open": None,
    # "snd_read": None,
    # "snd_length": None,
    # "snd_set_volume": None,
    # "snd_last_error": None,
    # BEGIN SOLUTION
    "snd_init": "none",
    "snd_open": "none",
    "snd_read": "sound",
    "snd_length": "sound",
    "snd_set_volume": "library",
    "snd_last_error": "none",
    # END
}

# With the static buffer: snd_read of a long file takes a second, and it may fail. Bring the steps of
# its wrapper into an order that is right. "lock" and "unlock" are all the locks that you chose, each a
# PyMutex; "copy" is that of the error's text, "raise" is PyErr_SetString.
# BEGIN STARTER
# FAILING_READ = ["lock", "read", "unlock", "copy", "raise", "detach", "attach"]
# BEGIN SOLUTION
FAILING_READ = ["lock", "detach", "read", "copy", "attach", "unlock", "raise"]
# END
