# Caught by single.
# const says nothing about what is behind the pointer: snd_length decodes.
# BEGIN 1
    "snd_init": "none",
    "snd_open": "library",
    "snd_read": "both",
    "snd_length": "library",
    "snd_set_volume": "library",
    "snd_last_error": "library",
# END
# BEGIN 2
    "snd_init": "none",
    "snd_open": "none",
    "snd_read": "sound",
    "snd_length": "none",
    "snd_set_volume": "library",
    "snd_last_error": "none",
# END
