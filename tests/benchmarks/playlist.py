"""A playlist: how many of its items are fetched at a time, as its source sees it."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack

from infra.settings import Settings
from tests.benchmarks import source
from tests.benchmarks.files import make_media
from tests.benchmarks.programs import NotDone
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.source import Sent
from tests.e2e.running import serve

_ITEM_S = 4  # what an item takes to send, so that they overlap
_LIMIT_S = 600


def measure(bench: Bench) -> Iterator[Row]:
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.small_mb * 1e6, rate=1e9)
        rate = (files.media / "small.mp4").stat().st_size / _ITEM_S
        entries = "".join(
            f"<item><title>{number}</title><guid>{number}</guid>"
            f'<enclosure url="{files.url("small.mp4")}?n={number}&amp;rate={rate:.0f}" type="video/mp4"/></item>'
            for number in range(bench.items)
        )
        (files.media / "feed.rss").write_text(f"<rss><channel><title>List</title>{entries}</channel></rss>")
        service = exits.enter_context(serve(bench.directory / "data", "--allow-origin", files.origin))
        client = service.client()
        job_id = client.create(files.url("feed.rss"))
        job = client.ended(job_id, within_s=_LIMIT_S)
        if job["status"] != "done" or job.get("items_done") != bench.items:
            raise NotDone(f"{job.get('items_done')} of {bench.items} items: {job.get('error_code')}")
        sent = by_item([one for one in files.sent() if one.path == "/small.mp4"])
        workers = min(Settings().worker_concurrency, bench.items)
        what = f"a playlist of {bench.items}: workers for it, to items sent at once"
        yield Row(what, workers, "", "seen by the source", at_once(sent), 1.0)
        span = max(one.ended for one in sent) - min(one.began for one in sent)
        ideal = -(-bench.items // workers) * _ITEM_S
        yield Row(
            "  from its first byte to its last", span, "s", "all workers busy, and nothing but sending", ideal, 2.0
        )


def by_item(sent: list[Sent]) -> list[Sent]:
    """Each item once, from its first request's beginning to its last one's end."""
    found: dict[str, Sent] = {}
    for one in sent:
        known = found.get(one.query, one)
        began, ended = min(known.began, one.began), max(known.ended, one.ended)
        found[one.query] = dataclasses.replace(known, began=began, ended=ended)
    return list(found.values())


def at_once(sent: list[Sent]) -> int:
    """The most replies that were under way at a time."""
    most = now = 0
    for _, step in sorted([(one.began, 1) for one in sent] + [(one.ended, -1) for one in sent]):
        now += step
        most = max(most, now)
    return most
