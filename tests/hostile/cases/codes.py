"""The codes that cases end with, see `reelhaul.errors`, and where their sources are."""

from reelhaul import errors

REFUSED = errors.SourceRefused.code
UNSUPPORTED = errors.SourceUnsupported.code
UNREACHABLE = errors.SourceUnreachable.code
INTERRUPTED = errors.SourceInterrupted.code
NOT_MEDIA = errors.SourceNotMedia.code
MALFORMED = errors.SourceMalformed.code
TIMED_OUT = errors.SourceTimedOut.code
FAILED = errors.SourceError.code
NOT_FOUND = errors.SourceNotFound.code
TOO_LARGE = errors.SourceTooLarge.code
TOO_SLOW = errors.SourceTooSlow.code
TOO_LONG = errors.SourceTooLong.code
LIVE = errors.SourceLive.code
DRM = errors.SourceDrm.code
FORBIDDEN = errors.SourceForbidden.code
UNAVAILABLE = errors.SourceUnavailable.code

SITE = "http://videos.example"
METADATA = "http://169.254.169.254/latest/meta-data/clip.mp4"
RUNTIME = "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next.mp4"
PRIVATE = "http://10.0.0.1/clip.mp4"
