"""Key-value stores, message brokers and task queues."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import THREAD, calls, of
from pytest_asyncguard.catalog.rows import Arguments, Keywords

REDIS: Final = "await client.get(...), with redis.asyncio"
VALKEY: Final = "await client.get(...), with valkey.asyncio"


def _unknown(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a result is still to be fetched."""
    return bool(args) and args[0]._cache is None  # noqa: SLF001


ROWS: Final = (
    *calls(
        "redis.client",
        # What a pipeline does at once is what it watches, and what it reads meanwhile.
        "Redis.execute_command Redis.transaction Pipeline.immediate_execute_command "
        "Pipeline.execute "
        "PubSub.execute_command PubSub.parse_response",
        "sync-client",
        REDIS,
        owned=True,
    ),
    *calls(
        "redis.cluster",
        of("RedisCluster", "__init__? execute_command?"),
        "sync-client",
        REDIS,
    ),
    *calls(
        "redis.cluster",
        "ClusterPipeline.execute?",
        "sync-client",
        REDIS,
        public="redis.cluster",
    ),
    *calls(
        "valkey.client",
        "Valkey.execute_command? Valkey.transaction? Pipeline.immediate_execute_command? "
        "Pipeline.execute? "
        "PubSub.execute_command? PubSub.parse_response?",
        "sync-client",
        VALKEY,
        owned=True,
    ),
    *calls(
        "pymemcache.client.base",
        of("Client", "_fetch_cmd? _store_cmd? _misc_cmd?"),
        "sync-client",
        "aiomcache",
    ),
    *calls(
        "kafka.producer.kafka",
        of("KafkaProducer", "__init__ send flush"),
        "sync-client",
        "aiokafka",
    ),
    *calls(
        "kafka.consumer.group",
        of("KafkaConsumer", "__init__ poll __next__ commit"),
        "sync-client",
        "aiokafka",
    ),
    *calls(
        "pika.adapters.blocking_connection",
        "BlockingConnection.__init__ BlockingConnection.channel BlockingConnection.close "
        "BlockingConnection.process_data_events",
        "sync-client",
        "aio_pika",
    ),
    *calls(
        "pika.adapters.blocking_connection",
        of(
            "BlockingChannel",
            "basic_publish basic_get queue_declare queue_bind exchange_declare start_consuming",
        ),
        "sync-client",
        "aio_pika",
        public="pika.adapters.blocking_connection",
    ),
    *calls("celery.app.task", "Task.apply_async", "sync-client", THREAD, public="celery.app.task"),
    *calls("celery.app.base", "Celery.send_task", "sync-client", THREAD, public="celery.app"),
    *calls(
        "celery.result",
        "AsyncResult.get ResultSet.get",
        "sync-client",
        THREAD,
        public="celery.result",
    ),
    # Its state, too, is asked for.
    *calls(
        "celery.result",
        "AsyncResult._get_task_meta",
        "sync-client",
        THREAD,
        public="celery.result",
        when=_unknown,
    ),
    # What publishes below them, and below canvases (group, chord) of their own.
    *calls("kombu.messaging", "Producer.publish?", "sync-client", THREAD, public="kombu.messaging"),
    *calls("kombu.connection", "Connection.ensure_connection?", "sync-client", THREAD),
    *calls("dramatiq.actor", "Actor.send_with_options?", "sync-client", THREAD),
    *calls("rq.queue", "Queue.enqueue_call?", "sync-client", THREAD),
)
