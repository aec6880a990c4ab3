"""`reelhaul sites`: cookies and a proxy for a tenant's site, set by an operator with the rights of an administrator."""

import argparse
import dataclasses
import datetime
import getpass
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from reelhaul.egress import Upstream
from reelhaul.errors import InvalidRequest, SiteNotFound
from reelhaul.keys import check_tenant
from reelhaul.sites.cookies import Selection, select, written
from reelhaul.sites.names import check_site
from reelhaul.sites.store import Site, SiteStore

_MAX_FILE_BYTES = 16 * 1024**2  # all cookies of a browser are a tenth of it
_STDIN = "-"


class Place(Protocol):
    """A deployment: its outputs, and clients for its account."""

    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client."""


def add(
    commands: Any, *, add_place: Callable[[argparse.ArgumentParser], None], place: Callable[[argparse.Namespace], Place]
) -> None:
    """Add the subcommands. `place` finds the deployment that the options of `add_place` name."""
    sites = commands.add_parser("sites", help="set cookies and a proxy for single sites of a tenant")
    actions = sites.add_subparsers(required=True, metavar="ACTION")
    put = actions.add_parser("set", help="set or renew them; what is not named stays as it is")
    put.add_argument("site", help="such as example.com, which stands for all hosts below it as well")
    cookies, proxy = put.add_mutually_exclusive_group(), put.add_mutually_exclusive_group()
    cookies.add_argument("--cookies", metavar="FILE", help="in Netscape's format (cookies.txt), - for standard input")
    cookies.add_argument("--no-cookies", action="store_true", help="forget the cookies")
    proxy.add_argument(
        "--proxy", metavar="URL",
        help="http:// or https://, with user and password if it asks for them; - reads it from standard input",
    )  # fmt: skip
    proxy.add_argument("--no-proxy", action="store_true", help="forget the proxy")
    shown = actions.add_parser("list", help="show a tenant's sites, but no cookie and no password")
    remove = actions.add_parser("remove", help="forget a site, from the next job on")
    remove.add_argument("site", help="as `reelhaul sites list` shows it")
    for action, run in ((put, _set), (shown, _list), (remove, _remove)):
        action.add_argument("--tenant", required=True, help="whose downloads use them, and nobody else's")
        action.set_defaults(run=_placed(run, place))
        add_place(action)


def _placed(
    run: Callable[[argparse.Namespace, SiteStore], None], place: Callable[[argparse.Namespace], Place]
) -> Callable[[argparse.Namespace], None]:
    def placed(options: argparse.Namespace) -> None:
        check_tenant(options.tenant)
        found = place(options)
        table, prefix = found.outputs["TableName"], found.outputs["SitesPrefix"]
        run(options, SiteStore(found.client("dynamodb"), table, found.client("secretsmanager"), prefix))

    return placed


def _set(options: argparse.Namespace, store: SiteStore) -> None:
    name = _checked(options.site)
    if not (options.cookies or options.proxy or options.no_cookies or options.no_proxy):
        raise InvalidRequest("There is nothing to set: name --cookies, --proxy, --no-cookies or --no-proxy.")
    if options.cookies == options.proxy == _STDIN:
        raise InvalidRequest("Only one of cookies and proxy can come from standard input.")
    selection = _selection(options.cookies, name) if options.cookies else None
    proxy = _proxy(options.proxy) if options.proxy else None
    before = _known(store, options.tenant, name)
    site = dataclasses.replace(
        before,
        cookies=written(selection.cookies) if selection else "" if options.no_cookies else before.cookies,
        proxy=proxy or (None if options.no_proxy else before.proxy),
    )
    if not site.cookies and not site.proxy:
        raise InvalidRequest("Nothing would be left. `reelhaul sites remove` forgets the site.")
    store.put(options.tenant, site)
    if selection is not None:
        print(f"Cookies: {_counts(selection, name)}.{_hint(selection, name)}", file=sys.stderr)
    print(f"{name} of tenant {options.tenant} is set, from the next job on.")


def _list(options: argparse.Namespace, store: SiteStore) -> None:
    rows = [("SITE", "COOKIES", "FIRST EXPIRES", "PROXY", "SET")]
    for name, set_at in sorted(store.names(options.tenant).items()):
        site = store.get(options.tenant, name)
        selection = select(site.cookies, name, now=time.time())
        count = f"{len(selection.cookies)}" + (f" ({selection.expired} expired)" if selection.expired else "")
        rows.append((name, count, _day(selection.first_expiry), _proxy_host(site), _day(set_at)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _remove(options: argparse.Namespace, store: SiteStore) -> None:
    name = check_site(options.site)
    store.remove(options.tenant, name)
    print(f"{name} of tenant {options.tenant} is removed, from the next job on.")


def _checked(text: str) -> str:
    """Raises `InvalidRequest` also for a name under which unrelated sites live, such as co.uk (publicsuffix.org)."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - a tool's dependency: no function has it

    name = check_site(text)
    if PublicSuffixList().is_public(name):
        raise InvalidRequest(f"{name} is no site: everybody can have one below it. Name the one that you mean.")
    return name


def _known(store: SiteStore, tenant: str, name: str) -> Site:
    if name not in store.names(tenant):
        return Site(name=name)  # a secret without a name beside it is of a removal that was cut short
    try:
        return store.get(tenant, name)
    except SiteNotFound:
        return Site(name=name)


def _selection(source: str, site: str) -> Selection:
    selection = select(_text(source), site, now=time.time())
    if not selection.cookies:
        raise InvalidRequest(f"There is no cookie to use: {_counts(selection, site)}.{_hint(selection, site)}")
    return selection


def _text(source: str) -> str:
    if source == _STDIN:
        data = sys.stdin.buffer.read(_MAX_FILE_BYTES + 1)
    else:
        with Path(source).open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise InvalidRequest(f"These are more than {_MAX_FILE_BYTES:,} bytes, which no file of cookies has.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("A file of cookies is text in UTF-8.") from None  # the cause would have the bytes in it


def _proxy(source: str) -> str:
    """The URL, which on a terminal is asked for and not shown."""
    if source == _STDIN:
        source = getpass.getpass("Proxy: ") if sys.stdin.isatty() else sys.stdin.readline()
    url = source.strip()
    Upstream.parse(url)
    return url


def _proxy_host(site: Site) -> str:
    if site.proxy is None:
        return "-"
    upstream = Upstream.parse(site.proxy)
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return f"{'https' if upstream.is_encrypted else 'http'}://{host}:{upstream.port}"


def _counts(selection: Selection, site: str) -> str:
    kept, foreign, expired = len(selection.cookies), selection.foreign, selection.expired
    return f"{kept} of {site} kept, {expired} expired and {foreign} of other sites left out"


def _hint(selection: Selection, site: str) -> str:
    """Logins are often remembered by cookies of the whole domain."""
    if not selection.above:
        return ""
    domain, count = selection.above.most_common(1)[0]
    return f" Of them {count} of {domain}, which {site} is a part of: they are used if {domain} is set instead."


def _day(at: int | None) -> str:
    return "-" if at is None else f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%d}"
