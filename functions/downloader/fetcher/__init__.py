"""The fetcher: a throw-away process that works on what strangers send. The only code that imports yt_dlp.

It sees no credentials, and imports nothing that uses them. One request on standard input, events on standard output.
Each is forked from a template, see `__main__`, which the worker talks to with these words.
"""

READY, FORK = b"ready", b"fork"
MAX_WORD_BYTES = 64
DESCRIPTORS = 4  # that come with `FORK`: standard input, output and error, and the directory to work in
