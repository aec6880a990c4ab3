"""One fetch from end to end: look, and tell what there is, or fetch and finish it."""

import contextlib
from collections.abc import Iterator
from typing import Any

from downloader.fetcher import (
    cookies,
    description,
    extract,
    failures,
    finishing,
    formats,
    live,
    objections,
    options,
    patches,
    sidebyside,
    subtitles,
    thumbnails,
)
from downloader.fetcher.extract import Extractor, Several
from downloader.fetcher.extras import Extra, Session
from downloader.fetcher.finishing import Output
from downloader.fetcher.growth import Growth
from downloader.fetcher.pausing import Pause, Pausing, same_again
from downloader.fetcher.progress import Tracks
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import Request
from downloader.fetcher.space import Space
from downloader.fetcher.streaming import Streaming, is_all_wanted
from downloader.fetcher.timing import Deadline
from reelhaul.errors import (
    SourceBlocked,
    SourceChanged,
    SourceForbidden,
    SourceLive,
    SourceNotFound,
    SourceRateLimited,
    SourceUnsupported,
)

_OVER = (SourceLive, SourceNotFound, SourceUnsupported)  # what there is instead of a stream that has ended
OVERHEAD_BYTES = 2 * 1024**2  # of pages, manifests and headers, which also count against what a job may receive


def run(request: Request, reporter: Reporter) -> None:
    """Tell the parent what came of it. Raises whatever went wrong, see `failures`."""
    deadline = Deadline(request.seconds)
    patches.apply()
    tracks = Tracks(reporter, max_bytes=request.max_bytes)
    with Extractor(options.parameters(request, on_progress=tracks)) as ydl, _heeding(ydl.params, request):
        if request.resume and request.resume.is_alone:
            objections.heed(ydl.params)
        formats.install(ydl, request)
        cookies.install(ydl.cookiejar, request.cookies)
        found = _found(ydl, request)
        ydl.hang_up()
        if isinstance(found, Several):
            _tell_several(found, request, reporter)
        elif request.resume and extract.is_live(found) and not request.goes_on_recording:
            raise SourceChanged
        elif request.inspect:
            _tell_medium(ydl, found, reporter)
        else:
            prepared = extract.prepare(_ending(ydl, found, request, deadline), max_duration_s=request.max_duration_s)
            again = same_again(prepared, request)
            before = request.resume.title if request.resume else None
            told = Growth(reporter, description.title(again) if before is None else before)
            try:
                reporter.told("finished", _fetched(ydl, again, request, tracks, told, deadline=deadline))
            except Pause as pause:
                alone = objections.was_heard(ydl.params)
                reporter.told(
                    "paused", {**pause.fields, "is_alone": alone, "direct": extract.direct(found, request.url)}
                )


@contextlib.contextmanager
def _heeding(params: dict[str, Any], request: Request) -> Iterator[None]:
    """Whoever was refused among several may be let in alone, as the next attempt comes: `SourceRateLimited`."""
    try:
        yield
    except Exception as error:
        said = failures.verdict(error)
        was_alone = request.resume is not None and request.resume.is_alone
        if objections.was_heard(params) and not was_alone and isinstance(said, SourceForbidden | SourceBlocked):
            raise SourceRateLimited(retry_after_s=said.retry_after_s) from error
        raise


def _found(ydl: Extractor, request: Request) -> dict[str, Any] | Several:
    """What is at the address. A stream that is over by now, and so gone, has been recorded to its end."""
    if request.resume and request.resume.direct:
        return extract.directly(ydl, request.url, request.resume.direct, request.resume.tracks[0].format_id)
    try:
        return extract.find(ydl, request)
    except Exception as error:
        if request.resume is None or not request.goes_on_recording or not isinstance(failures.verdict(error), _OVER):
            raise
        return live.as_it_was(ydl, request.resume)


def _ending(ydl: Extractor, info: dict[str, Any], request: Request, deadline: Deadline) -> dict[str, Any]:
    """The medium, and of a live stream the part that is asked for."""
    if not extract.is_live(info) and (not request.goes_on_recording or live.is_recorded(info)):
        return info
    left_s = max(deadline.seconds, request.max_total_s if request.pauses else 0)
    try:
        return live.as_recording(ydl, info, request.options.clip, max_duration_s=request.max_duration_s, left_s=left_s)
    except SourceLive:
        if request.resume is None or not request.goes_on_recording:
            raise
        return live.as_it_was(ydl, request.resume)


def _tell_several(found: Several, request: Request, reporter: Reporter) -> None:
    for number, entry in found.entries.items():
        reporter.told("entry", description.entry(number, entry))
    if request.inspect:
        reporter.told("inspected", description.several(found))
    else:
        reporter.told("playlist", {"title": description.title(found.info), "truncated": found.truncated})


def _tell_medium(ydl: Extractor, info: dict[str, Any], reporter: Reporter) -> None:
    extract.refuse_drm(info)
    for one in description.formats(ydl, info):
        reporter.told("format", one)
    reporter.told("inspected", description.medium(info))


def _fetched(
    ydl: Extractor, info: dict[str, Any], request: Request, tracks: Tracks, told: Growth, *, deadline: Deadline
) -> dict[str, Any]:
    """The fields of the `finished` event."""
    ydl.add_postprocessor_hook(lambda _: tracks.finishing())
    if sidebyside.is_possible(info, request):
        extract.check_size(info, max_bytes=request.max_bytes)
        ydl.params[objections.CONNECTIONS] = max(1, objections.connections(ydl.params) // 2)  # for each of the two
        output = sidebyside.fetch(ydl, info, request, told, tracks, deadline=deadline)
    else:
        output = _one_after_the_other(ydl, info, request, tracks, told, deadline=deadline)
    session = Session(
        ydl, request.directory, max_bytes=request.max_bytes - tracks.done_bytes - OVERHEAD_BYTES, deadline=deadline
    )
    extras = _extras(info, request, output, session)
    return {
        "path": str(output.path),
        "title": told.title,
        "extension": output.extension,
        "content_type": output.content_type,
        "duration_s": output.duration_s or info.get("duration"),
        "thumbnail": info.get("thumbnail"),
        "format_note": live.noted(output.format_note, info),
        "extras": [extra.to_event() for extra in extras],
    }


def _one_after_the_other(
    ydl: Extractor, info: dict[str, Any], request: Request, tracks: Tracks, told: Growth, *, deadline: Deadline
) -> Output:
    stream = None
    if is_all_wanted(request) and not info.get("requested_formats"):
        stream = Streaming(request, told, head_bytes=request.stream_above_bytes)
        ydl.add_progress_hook(stream)
    pauses = Pausing(ydl, info, request, stream)
    ydl.add_progress_hook(Space(request.directory, stream, copies=2 if info.get("requested_formats") else 1))
    with pauses.in_time(deadline):
        path = pauses.whole or extract.download(ydl, info, tracks=tracks, max_bytes=request.max_bytes)
    with pauses.in_time(deadline) if stream is None or not stream.has_begun else contextlib.nullcontext():
        pauses.fetched(path)
        tracks.finishing()
        streamed = stream.output(path, deadline=deadline) if stream else None
        if streamed is not None:
            return streamed
        by = pauses.leaving_time(deadline)
        return finishing.finish(path, request.options, deadline=by, max_duration_s=request.max_duration_s)


def _extras(info: dict[str, Any], request: Request, output: Output, session: Session) -> list[Extra]:
    pictures = thumbnails.fetch(info, output, session)
    return [*pictures, *subtitles.fetch(info, dict.fromkeys(request.options.subtitles), output, session)]
