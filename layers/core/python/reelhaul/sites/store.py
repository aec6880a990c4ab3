"""Where it is kept: the names of a tenant's sites in the table, cookies and proxy of each in a secret of its own.

So a worker reads one small partition per job, and a secret only where it has a use for it. Nothing is kept from one
call to the next: what a tenant has set must not outlive the tenant's job on a warm worker.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any, Self

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import InvalidRequest, ServiceUnavailable, SiteNotFound, SiteUnreadable
from reelhaul.items import sites_partition
from reelhaul.sites.names import host_of, site_of
from reelhaul.table import Table

MAX_SECRET_BYTES = 65_536  # AWS Secrets Manager User Guide, "Quotas": length of a secret value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is set for a site: `cookies` in Netscape's format, "" for none, and the URL of a `proxy`."""

    name: str
    cookies: str = dataclasses.field(default="", repr=False)
    proxy: str | None = dataclasses.field(default=None, repr=False)

    def to_secret(self) -> str:
        """Raises `InvalidRequest` if it is too long."""
        text = json.dumps({"cookies": self.cookies, "proxy": self.proxy}, ensure_ascii=False)
        size = len(text.encode())
        if size > MAX_SECRET_BYTES:
            most = f"Secrets Manager keeps {MAX_SECRET_BYTES:,}"
            raise InvalidRequest(f"The cookies of {self.name} take {size:,} bytes; {most}.", field="cookies")
        return text

    @classmethod
    def from_secret(cls, name: str, text: str) -> Self:
        """Raises `SiteUnreadable`."""
        try:
            fields = json.loads(text)
            cookies, proxy = fields["cookies"] or "", fields["proxy"] or None
        except (ValueError, TypeError, LookupError):
            raise SiteUnreadable from None  # the cause would have the text in it
        if not isinstance(cookies, str) or not isinstance(proxy, str | None):
            raise SiteUnreadable
        return cls(name=name, cookies=cookies, proxy=proxy)


class SiteStore:
    """`table` and `secrets` are boto3 clients of DynamoDB and Secrets Manager, `prefix` that of the secrets' names."""

    def __init__(
        self, table: Any, table_name: str, secrets: Any, prefix: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = Table(table, table_name)
        self._secrets = secrets
        self._prefix = prefix
        self._clock = clock

    def for_url(self, tenant: str, url: str) -> Site | None:
        """What `tenant` has set for the site that `url` is on, if anything. Raises `SiteUnreadable`."""
        host = host_of(url)
        try:
            name = site_of(host, self.names(tenant)) if host else None
            return self.get(tenant, name) if name else None
        except (ServiceUnavailable, SiteNotFound) as error:
            raise SiteUnreadable from error  # never on without: the proxy may be what somebody relies on

    def names(self, tenant: str) -> dict[str, int]:
        """The tenant's sites, and when each was last set, in seconds since the epoch."""
        query = {
            "KeyConditionExpression": "pk = :tenant",
            "ExpressionAttributeValues": {":tenant": sites_partition(tenant)},
            "ConsistentRead": True,  # what was removed a moment ago must not be used any more
        }
        return {str(item["sk"]): int(item["set_at"]) for item in self._table.query(query, page_size=1000)}

    def get(self, tenant: str, name: str) -> Site:
        """Raises `SiteNotFound`, and `SiteUnreadable` for what is not ours."""
        with translated():
            try:
                reply = self._secrets.get_secret_value(SecretId=self._secret_id(tenant, name))
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    raise SiteNotFound from error
                raise
        return Site.from_secret(name, reply.get("SecretString", ""))

    def put(self, tenant: str, site: Site) -> None:
        """From the next job on. The secret comes first: no worker finds a name without one."""
        secret_id, text = self._secret_id(tenant, site.name), site.to_secret()
        try:
            self._secrets.put_secret_value(SecretId=secret_id, SecretString=text)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            what = f"Cookies and proxy of the tenant {tenant} for {site.name}"
            self._secrets.create_secret(Name=secret_id, SecretString=text, Description=what)
        self._table.write(
            self._table.put({"pk": sites_partition(tenant), "sk": site.name, "set_at": int(self._clock())})
        )

    def remove(self, tenant: str, name: str) -> None:
        """From the next job on, and for good. Raises `SiteNotFound`; what is half there is removed all the same."""
        known = name in self.names(tenant)
        self._table.write(self._table.removal(sites_partition(tenant), name))
        try:
            self._secrets.delete_secret(SecretId=self._secret_id(tenant, name), ForceDeleteWithoutRecovery=True)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
        if not known:
            raise SiteNotFound

    def _secret_id(self, tenant: str, name: str) -> str:
        return f"{self._prefix}/{tenant}/{name}"
