"""The table: one, for jobs and for access keys."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.allow import allow

_STRING, _NUMBER = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
# Ceilings on what a runaway client can cost, in units a second. A thousand workers, the most there can be, each write
# an item of 1 to 2 KB every 2 seconds.
MAX_READS, MAX_WRITES = 4000, 2000
_JOBS = ("TENANT#*",)
_TOMBSTONES = ("DELETED",)
_JOBS_AND_TOMBSTONES = (*_JOBS, *_TOMBSTONES)
_KEYS = ("KEY#*",)
_WRITING = ("GetItem", "PutItem", "UpdateItem")
_READING_CHANGES = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")


class JobsTable(Construct):
    """A single table with the tenant in the partition key; the layout is that of `reelhaul.items` and `reelhaul.keys`.

    Whoever is granted something is held to the partitions that it is about: no worker can read or make an access key.
    """

    def __init__(self, scope: Construct, name: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_attribute("pk", _STRING),
            sort_key=_attribute("sk", _STRING),
            billing=dynamodb.Billing.on_demand(max_read_request_units=MAX_READS, max_write_request_units=MAX_WRITES),
            global_secondary_indexes=[
                _index("due", _attribute("due_shard", _STRING), _attribute("due_at", _NUMBER)),
                _index("status", _attribute("status_key", _STRING), _attribute("sk", _STRING)),
            ],
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            time_to_live_attribute="ttl",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=removal is RemovalPolicy.RETAIN,
            removal_policy=removal,
        )

    # The CDK's own grant_read_data and the like add scans, streams, batches and every index. What is allowed here holds
    # within a transaction, too: DynamoDB checks each of its operations as if it came alone.

    def grant_check_keys(self, grantee: iam.IGrantable) -> None:
        """Look up an access key by its hash."""
        self._allow(grantee, "GetItem", partitions=_KEYS)

    def grant_read_jobs(self, grantee: iam.IGrantable) -> None:
        """One at a time, by id."""
        self._allow(grantee, "GetItem", partitions=_JOBS)

    def grant_list_items(self, grantee: iam.IGrantable) -> None:
        """The jobs that a playlist was expanded into."""
        self._allow(grantee, "Query", partitions=_JOBS)

    def grant_see_deletions(self, grantee: iam.IGrantable) -> None:
        """Whether a job was deleted a short time ago."""
        self._allow(grantee, "GetItem", partitions=_TOMBSTONES)

    def grant_list_jobs(self, grantee: iam.IGrantable) -> None:
        """All jobs of a tenant, or those of one status, and how many there are."""
        self._allow(grantee, "Query", partitions=_JOBS, also_index="status")

    def grant_write_jobs(self, grantee: iam.IGrantable) -> None:
        """Conditional writes, which move the tenant's counters.

        And reading a job again to learn whether a write whose reply was lost has happened.
        """
        self._allow(grantee, *_WRITING, partitions=_JOBS)

    def grant_remove_jobs(self, grantee: iam.IGrantable) -> None:
        """Replace jobs by tombstones, and remove these."""
        self._allow(grantee, *_WRITING, "DeleteItem", partitions=_JOBS_AND_TOMBSTONES)

    def grant_list_due(self, grantee: iam.IGrantable) -> None:
        """What the sweeper has to look at, of all tenants."""
        allow(grantee, "dynamodb:Query", on=[self._index_arn("due")])

    def grant_read_changes(self, grantee: iam.IGrantable) -> None:
        """What was written to the table, in order, for up to a day.

        The CDK's own grant_stream_read allows to list the streams of all tables.
        """
        stream = self.table.table_stream_arn
        if stream is None:
            raise ValueError("the table has no stream")
        allow(grantee, *(f"dynamodb:{action}" for action in _READING_CHANGES), on=[stream])

    def _allow(
        self, grantee: iam.IGrantable, *actions: str, partitions: tuple[str, ...], also_index: str | None = None
    ) -> None:
        allow(
            grantee,
            *(f"dynamodb:{action}" for action in actions),
            on=[self.table.table_arn, *([self._index_arn(also_index)] if also_index else [])],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(partitions)}},
        )

    def _index_arn(self, name: str) -> str:
        return f"{self.table.table_arn}/index/{name}"


def _attribute(name: str, kind: dynamodb.AttributeType) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=kind)


def _index(name: str, partition: dynamodb.Attribute, sort: dynamodb.Attribute) -> dynamodb.GlobalSecondaryIndexPropsV2:
    return dynamodb.GlobalSecondaryIndexPropsV2(
        index_name=name,
        partition_key=partition,
        sort_key=sort,
        projection_type=dynamodb.ProjectionType.ALL,
        max_read_request_units=MAX_READS,
        max_write_request_units=MAX_WRITES,
    )
