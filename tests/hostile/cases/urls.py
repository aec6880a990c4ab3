"""URLs that are not what they look like. The API refuses most of them; here they have got past it, into a job."""

from tests.hostile.cases.codes import REFUSED, UNSUPPORTED
from tests.hostile.running import DONE, Case

_REFUSED_AS = {
    # schemes
    "file:///etc/passwd": UNSUPPORTED,
    "ftp://10.0.0.1/clip.mp4": UNSUPPORTED,
    "gopher://10.0.0.1:6379/_FLUSHALL": UNSUPPORTED,
    "rtmp://10.0.0.1/live/clip": UNSUPPORTED,
    "data:video/mp4;base64,AAAA": UNSUPPORTED,
    "ytsearch:canary": UNSUPPORTED,
    "concat:/etc/passwd|/etc/hosts": UNSUPPORTED,
    "//10.0.0.1/clip.mp4": UNSUPPORTED,
    "http:10.0.0.1/clip.mp4": UNSUPPORTED,
    "http:///10.0.0.1/clip.mp4": UNSUPPORTED,
    # what yt-dlp would take for orders
    'http://10.0.0.1/clip.mp4#__youtubedl_smuggle={"to_generic":true}': UNSUPPORTED,
    # who is the host?
    "http://videos.example@10.0.0.1/clip.mp4": UNSUPPORTED,
    "http://videos.example:80\\@10.0.0.1/clip.mp4": UNSUPPORTED,
    "http://10.0.0.1\\.videos.example/clip.mp4": UNSUPPORTED,
    "http://10.0.0.1#@videos.example/clip.mp4": REFUSED,
    "http://10.0.0.1 .videos.example/clip.mp4": UNSUPPORTED,
    "http://10.0.0.1%00.videos.example/clip.mp4": UNSUPPORTED,
    "http://%31%30.0.0.1/clip.mp4": UNSUPPORTED,
    "http://videos.example\r\nHost: 10.0.0.1/clip.mp4": UNSUPPORTED,
    "http://[::1/clip.mp4": UNSUPPORTED,
    "http://10.0.0.1:/clip.mp4": REFUSED,
    # which port?
    "http://videos.example:22/clip.mp4": REFUSED,
    "http://videos.example:9001/clip.mp4": REFUSED,
    "https://videos.example:8080/clip.mp4": REFUSED,
    "http://videos.example:99999/clip.mp4": UNSUPPORTED,
}
_HARMLESS = ("http://videos.example:0/clip.mp4", "http://videos.example./clip.mp4", "HTTP://VIDEOS.example:80/clip.mp4")

CASES = [
    *(Case(family="URL", name=repr(url), url=url, expected=code) for url, code in _REFUSED_AS.items()),
    *(Case(family="URL", name=repr(url), url=url, expected=DONE) for url in _HARMLESS),
]
