"""The fetcher: a throw-away process that works on what strangers send. The only code that imports yt_dlp.

It sees no credentials, and imports nothing that uses them. One request on standard input, events on standard output.
"""
