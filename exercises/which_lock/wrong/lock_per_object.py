# Caught by single.
# A lock for each sound around a text that all of them share: two sounds, two locks, one buffer.
# BEGIN 1
    "snd_init": "none",
    "snd_open": "none",
    "snd_read": "sound",
    "snd_length": "sound",
    "snd_set_volume": "library",
    "snd_last_error": "none",
# END
