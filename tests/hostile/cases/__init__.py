"""All cases, family by family."""

from tests.hostile.cases import (
    addresses,
    bodies,
    contents,
    dash,
    hls,
    lookups,
    pages,
    redirects,
    texts,
    transport,
    urls,
)

CASES = (
    *urls.CASES,
    *addresses.CASES,
    *lookups.CASES,
    *redirects.CASES,
    *hls.CASES,
    *dash.CASES,
    *pages.CASES,
    *transport.CASES,
    *bodies.CASES,
    *contents.CASES,
    *texts.CASES,
)
