"""The stack: what there is, how it is connected, and who may do what with it.

The whole access policy of the service is `ReelhaulStack._grant`, and for the key of links `_add_rotation`: a function
may do what is granted there, write its own log, and, where a queue or the table's changes feed it, take what is there.
"""

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import assets, tear_down
from infra.alarms import Alarms
from infra.announcements import Announcements
from infra.dashboard import Dashboard
from infra.downloader import Downloader
from infra.http_api import HttpApi
from infra.inspector import Inspector
from infra.jobs_table import JobsTable
from infra.link_distribution import LinkDistribution
from infra.link_key import LinkKey
from infra.media_bucket import MediaBucket
from infra.settings import Settings
from infra.site_secrets import SiteSecrets
from infra.webhooks import TIMEOUT_S, Webhooks
from infra.work_queue import WorkQueue
from infra.zip_functions import ZipFunctions


class ReelhaulStack(Stack):
    """From POST to link: an API, its functions, a queue, a worker, a table, a bucket, and word of every job's end."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            name,
            stack_name=f"{name}-{settings.stage}",
            description="A media download service",
            env=None if settings.region is None else Environment(region=settings.region),
        )
        removal = RemovalPolicy.RETAIN if settings.removal_policy == "retain" else RemovalPolicy.DESTROY
        self.jobs = JobsTable(self, "Jobs", removal=removal)
        self.media = MediaBucket(
            self,
            "Media",
            max_retention_days=settings.max_retention_days,
            open_to_pages=bool(settings.cors_origins),
            removal=removal,
        )
        self.work = WorkQueue(self, "Work", worker_timeout_s=settings.worker_timeout_s)
        self.announcements = Announcements(self, "Announcements")
        self.webhooks = Webhooks(self, "Webhooks", removal=removal)
        self.links = self._link_signer(settings)
        self.sites = SiteSecrets(self, "Sites")
        self.pepper = secretsmanager.Secret(
            self,
            "Pepper",
            description="What the hashes of the access keys are keyed with",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=removal,  # as the table's: without the pepper every key in there is void
        )
        self._add_functions(settings)
        self._grant()
        self._connect(settings)
        self._prepare_the_end(removal)
        self._watch(settings)
        self._add_outputs(settings)

    def _link_signer(self, settings: Settings) -> LinkKey | LinkDistribution:
        if settings.link_signer == "s3":
            return LinkKey(self, "LinkKey")
        return LinkDistribution(self, "LinkDistribution", bucket=self.media.bucket, keys=settings.cloudfront_public_key)

    def _link_origin(self) -> str:
        """Where links lead, and so what the page shows media and images from."""
        return self.media.origin if isinstance(self.links, LinkKey) else self.links.origin

    def _add_functions(self, settings: Settings) -> None:
        table = {"TABLE_NAME": self.jobs.table.table_name}
        bucket = {"BUCKET_NAME": self.media.bucket.bucket_name}
        queue = {"QUEUE_URL": self.work.queue.queue_url}
        webhook_queue = {"WEBHOOK_QUEUE_URL": self.webhooks.queue.queue_url}
        express = {"EXPRESS_QUEUE_URL": self.work.express.queue_url}
        submits = table | queue | express | {
            "RETENTION_DAYS": str(settings.retention_days), "MAX_RETENTION_DAYS": str(settings.max_retention_days),
        }  # fmt: skip
        reads = table | bucket | dict(self.links.environment)
        delivers = reads | webhook_queue | {"WEBHOOK_SECRET_ARN": self.webhooks.secret.secret_arn}
        opened = {"ALLOWED_ORIGINS": ",".join(settings.allowed_origins)}
        site_policy = {
            "ALLOWED_SITES": ",".join(settings.allowed_sites), "DENIED_SITES": ",".join(settings.denied_sites),
        }  # fmt: skip
        fetches = opened | site_policy | {"REQUIRE_SECCOMP": str(settings.require_seccomp).lower()}
        site_secrets = {"SITES_PREFIX": self.sites.prefix}
        measured = {"STACK_NAME": self.stack_name}
        limits = {
            "MAX_BYTES": str(settings.max_bytes), "MAX_DURATION_S": str(settings.max_duration_s),
            "MAX_TOTAL_S": str(settings.max_total_s), "SOURCE_CONNECTIONS": settings.source_connections,
        }  # fmt: skip

        zipped = ZipFunctions(self, "Functions", settings=settings)
        signing = [zipped.packages(name) for name in self.links.packages]
        self.authorizer = zipped.add("authorizer", table | {"PEPPER_SECRET_ARN": self.pepper.secret_arn})
        self.create_download = zipped.add(
            "create_download", submits | site_policy | {"MAX_PLAYLIST_ITEMS": str(settings.max_playlist_items)}
        )
        self.get_status = zipped.add(  # holds requests back; API Gateway waits for 30
            "get_status", reads, timeout_s=29, layers=signing
        )
        # One whole CPU: a page of 5,000 jobs is a second of work, most of it the SDK's.
        self.list_downloads = zipped.add("list_downloads", reads, timeout_s=29, memory_mb=1769, layers=signing)
        self.retry_download = zipped.add("retry_download", submits)
        self.delete_download = zipped.add("delete_download", table | bucket)
        self.docs = zipped.add(
            "docs",
            {},
            code=assets.docs_function(
                max_retention_days=settings.max_retention_days, max_playlist_items=settings.max_playlist_items
            ),
        )
        self.page = zipped.add("page", {"LINK_ORIGIN": self._link_origin()}, code=assets.page_function())
        self.announcer = zipped.add(
            "announcer",
            table | webhook_queue | measured | {"BUS_NAME": self.announcements.bus.event_bus_name},
            timeout_s=60,  # a hundred ends, each with a look at a playlist's items
        )
        self.deliver_webhooks = zipped.add("deliver_webhooks", delivers | opened, timeout_s=TIMEOUT_S, layers=signing)
        self.sweeper = zipped.add(  # the next one starts after 60 s
            "sweeper", table | bucket | queue | webhook_queue, timeout_s=55
        )
        self.dead_letters = zipped.add("dead_letters", table)
        self.rotate_link_key = self._add_rotation(zipped, bucket)
        self.tear_down = zipped.add("tear_down", {}, timeout_s=tear_down.TIMEOUT_S)
        self.downloader = Downloader(
            self,
            "Downloader",
            settings=settings,
            environment=table | bucket | queue | express | fetches | site_secrets | limits | measured,
        )
        self.inspect_source = Inspector(self, "Inspector", settings=settings, environment=fetches)

    def _add_rotation(self, zipped: ZipFunctions, bucket: dict[str, str]) -> lambda_.Function | None:
        """The user whose key signs links for S3, and who replaces that key. CloudFront's only an operator replaces."""
        if not isinstance(self.links, LinkKey):
            return None
        function = zipped.add(
            "rotate_link_key",
            bucket | {"LINK_USER_NAME": self.links.user.user_name},
            timeout_s=60,  # IAM takes some ten seconds until a new key is known everywhere
        )
        self.media.grant_read_objects(self.links.user)
        self.links.grant_rotate(function)
        self.links.rotate_with(function)
        return function

    def _grant(self) -> None:
        self.jobs.grant_check_keys(self.authorizer)
        self.pepper.grant_read(self.authorizer)

        for submitting in (self.create_download, self.retry_download):
            self.jobs.grant_write_jobs(submitting)
            self.work.queue.grant_send_messages(submitting)
            self.work.express.grant_send_messages(submitting)

        self.jobs.grant_read_jobs(self.get_status)
        for listing in (self.list_downloads, self.get_status):
            self.jobs.grant_list_jobs(listing)
        for linking in (self.get_status, self.list_downloads, self.deliver_webhooks):
            self.links.secret.grant_read(linking)

        self.jobs.grant_list_due(self.sweeper)
        self.work.queue.grant_send_messages(self.sweeper)
        for removing in (self.delete_download, self.sweeper):
            self.jobs.grant_remove_jobs(removing)
            self.media.grant_remove_objects(removing)

        for announcing in (self.announcer, self.sweeper, self.deliver_webhooks):
            self.webhooks.queue.grant_send_messages(announcing)
        for ending in (self.announcer, self.deliver_webhooks, self.dead_letters):
            self.jobs.grant_write_jobs(ending)
        self.announcements.bus.grant_put_events_to(self.announcer)
        self.webhooks.secret.grant_read(self.deliver_webhooks)

        worker = self.downloader.function
        self.jobs.grant_write_jobs(worker)
        self.jobs.grant_see_deletions(worker)
        self.media.grant_store_objects(worker)
        self.media.grant_remove_objects(worker)
        self.work.queue.grant_send_messages(worker)
        self.sites.grant_read(worker)
        for expanding in (worker, self.announcer, self.delete_download, self.sweeper):
            self.jobs.grant_list_items(expanding)

    def _connect(self, settings: Settings) -> None:
        self.http = HttpApi(
            self,
            "Http",
            authorizer=self.authorizer,
            open_to=settings.cors_origins,
            rate=settings.throttle_rate,
            burst=settings.throttle_burst,
            log_retention_days=settings.log_retention_days,
            has_default_endpoint=settings.default_endpoint == "keep",
        )
        self.http.route(self.create_download, "POST /download", "POST /api/download")
        self.http.route(
            self.get_status,
            "GET /download/{id}",
            "GET /async-response/{id}",
            "GET /api/download/{id}/file",
            "GET /api/thumbnails/{id}",
            "GET /updates",
        )
        self.http.route(self.list_downloads, "GET /download", "GET /api/downloads")
        self.http.route(self.retry_download, "POST /download/{id}")
        self.http.route(
            self.delete_download,
            "DELETE /download/{id}",
            "DELETE /download",
            "DELETE /api/downloads/{id}",
            "DELETE /api/downloads/{id}/remove",
        )
        self.http.route(self.inspect_source.function, "POST /api/info")
        self.open_routes = [
            *self.http.open_route(
                self.docs, "GET /openapi.json", "GET /docs", "GET /docs/{file}", "GET /health", "$default"
            ),
            *self.http.open_route(self.page, "GET /", "HEAD /", "GET /assets/{file}", "HEAD /assets/{file}"),
        ]

        self.downloader.take_from(self.work.queue, max_concurrency=settings.worker_concurrency)
        self.downloader.take_from(self.work.express, max_concurrency=settings.express_concurrency)
        self.dead_letters.add_event_source(
            event_sources.SqsEventSource(self.work.dead_letters, batch_size=1, report_batch_item_failures=True)
        )
        self.announcements.announce_with(self.announcer, of=self.jobs)
        self.webhooks.deliver_with(self.deliver_webhooks, max_concurrency=settings.webhook_concurrency)
        self.every_minute = events.Rule(
            self,
            "EveryMinute",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(self.sweeper)],
        )

    def _prepare_the_end(self, removal: RemovalPolicy) -> None:
        """In what order the stack is deleted: who makes something, what they have made, and then where that was."""
        end = tear_down.TearDown(self, "TearDown", function=self.tear_down)
        if isinstance(self.links, LinkKey) and self.rotate_link_key is not None:
            end.remove_link_keys(self.links.user, made_by=self.rotate_link_key)
        end.remove_contents(self.media, self.sites, made_by=self.downloader.function, removal=removal)

    def _watch(self, settings: Settings) -> None:
        left = {"Announcer": self.announcements.dead_letters, "Webhook": self.webhooks.dead_letters}
        self.alarms = Alarms(self, "Alarms", email=settings.alarm_email)
        self.alarms.watch_queues(
            taken={"Work": self.work.dead_letters},
            left=left,
            work=(self.work.queue, self.work.express),
            worker_timeout_s=settings.worker_timeout_s,
        )
        self.alarms.watch_failures()
        self.alarms.watch_functions(
            sweeper=self.sweeper,
            downloader=self.downloader.function,
            announcer=self.announcer,
            dead_letters=self.dead_letters,
            rotation=self.rotate_link_key,
        )
        self.alarms.watch_table(self.jobs.table)
        self.alarms.watch_api(self.http.api)

        dashboard = Dashboard(self, "Board")
        dashboard.show_jobs(alarms=self.alarms.all, work={"queue": self.work.queue, "express": self.work.express})
        dashboard.show_transfers()
        dashboard.show_failures(api=self.http.api, dead_letters={"Work": self.work.dead_letters, **left})
        dashboard.show_limits(
            functions={
                "downloader": self.downloader.function,
                "get_status": self.get_status,
                "create_download": self.create_download,
                "inspect_source": self.inspect_source.function,
                "sweeper": self.sweeper,
            },
            table=self.jobs.table,
        )

    def _add_outputs(self, settings: Settings) -> None:
        outputs = {
            "ApiUrl": f"https://{settings.domain_name}" if settings.domain_name else self.http.api.api_endpoint,
            "TableName": self.jobs.table.table_name,
            "BucketName": self.media.bucket.bucket_name,
            "QueueUrl": self.work.queue.queue_url,
            "ExpressQueueUrl": self.work.express.queue_url,
            "DeadLetterQueueUrl": self.work.dead_letters.queue_url,
            "BusName": self.announcements.bus.event_bus_name,
            "AnnouncerDeadLetterQueueUrl": self.announcements.dead_letters.queue_url,
            "WebhookQueueUrl": self.webhooks.queue.queue_url,
            "WebhookDeadLetterQueueUrl": self.webhooks.dead_letters.queue_url,
            "WebhookSecretArn": self.webhooks.secret.secret_arn,
            "PepperSecretArn": self.pepper.secret_arn,
            "SitesPrefix": self.sites.prefix,
            "DownloaderFunctionName": self.downloader.function.function_name,
            "InspectFunctionName": self.inspect_source.function.function_name,
            "DeliveryFunctionName": self.deliver_webhooks.function_name,
            "AnnouncerFunctionName": self.announcer.function_name,
            **self.links.outputs,
        }
        if settings.domain_name and settings.certificate_arn:
            domain = self.http.serve_at(settings.domain_name, certificate_arn=settings.certificate_arn)
            outputs["DomainTarget"] = domain.regional_domain_name
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
