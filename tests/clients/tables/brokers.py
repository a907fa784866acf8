"""Key-value stores, message brokers and task queues."""

from __future__ import annotations

RULE = "sync-client"

ROWS = [
    {
        "name": "redis under fakeredis",
        "needs": "redis fakeredis",
        "setup": "CLIENT, TWIN = fakeredis.FakeRedis(), fakeredis.FakeAsyncRedis()",
        "call": "CLIENT.incr('a')",
        "found": "redis.Redis.incr",
        "twin": "await TWIN.incr('a')",
    },
    {
        "name": "a pipeline of redis under fakeredis",
        "needs": "redis fakeredis",
        "setup": "CLIENT = fakeredis.FakeRedis()",
        "call": """
            pipeline = CLIENT.pipeline()
            pipeline.incr("a").expire("a", 3)
            pipeline.execute()  #!
        """,
        "found": "redis.Pipeline.execute",
        "twin": "CLIENT.pipeline().incr('a').expire('a', 3)",
    },
    {
        "name": "what a pipeline of redis watches, under fakeredis",
        "needs": "redis fakeredis",
        "setup": "CLIENT = fakeredis.FakeRedis()",
        "call": """
            pipeline = CLIENT.pipeline()
            pipeline.watch("a")  #! redis.Pipeline.watch
            pipeline.get("a")  #! redis.Pipeline.get
            pipeline.multi()
            pipeline.set("a", 1)
            pipeline.execute()  #! redis.Pipeline.execute
            CLIENT.transaction(lambda pipeline: None, "a")  #! redis.Redis.transaction
        """,
    },
    {
        "name": "redis, refused",
        "needs": "redis",
        "setup": "CLIENT = redis.Redis(port=1, retry=None)",
        "call": """
            with contextlib.suppress(redis.ConnectionError):
                CLIENT.get("a")  #!
        """,
        "found": "redis.Redis.get",
    },
    {
        "name": "valkey, refused",
        "needs": "valkey",
        "setup": "CLIENT = valkey.Valkey(port=1)",
        "call": """
            with contextlib.suppress(valkey.ConnectionError):
                CLIENT.get("a")  #!
        """,
        "found": "valkey.Valkey.get",
    },
    {
        "name": "pymemcache, refused",
        "needs": "pymemcache",
        "setup": "CLIENT = pymemcache.Client(('127.0.0.1', 1))",
        "call": """
            with contextlib.suppress(OSError):
                CLIENT.get("a")  #!
        """,
        "found": "pymemcache.Client.get",
    },
    {
        "name": "kafka-python, refused",
        "needs": "kafka",
        "call": """
            with contextlib.suppress(kafka.errors.KafkaError):
                kafka.KafkaProducer(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=9)  #!
        """,
        "found": "kafka.KafkaProducer",
    },
    {
        "name": "pika, refused",
        "needs": "pika",
        "setup": "NOWHERE = pika.ConnectionParameters(port=1, connection_attempts=1)",
        "call": """
            with contextlib.suppress(pika.exceptions.AMQPError):
                pika.BlockingConnection(NOWHERE)  #!
        """,
        "found": "pika.BlockingConnection",
    },
    {
        "name": "celery's delay, in memory",
        "needs": "celery",
        "setup": """
            @celery.Celery("tasks", broker="memory://").task
            def work():
                pass
        """,
        "call": "work.delay()",
        "found": "celery.app.task.Task.delay",
        "twin": "work.s()",
    },
    {
        "name": "celery's send_task, in memory",
        "needs": "celery",
        "setup": "TASKS = celery.Celery('tasks', broker='memory://')",
        "call": "TASKS.send_task('work')",
        "found": "celery.app.Celery.send_task",
    },
    {
        "name": "the state of a celery task, in memory",
        "needs": "celery",
        "setup": """
            TASKS = celery.Celery("tasks", broker="memory://", backend="cache+memory://")
        """,
        "call": "TASKS.AsyncResult('1').state",
        "found": "celery.result.AsyncResult.state",
    },
    {
        "name": "rq under fakeredis",
        "needs": "rq fakeredis",
        "setup": "JOBS = rq.Queue(connection=fakeredis.FakeRedis())",
        "call": "JOBS.enqueue(print)",
        "found": "rq.Queue.enqueue",
    },
    {
        "name": "dramatiq, with a stub broker",
        "needs": "dramatiq",
        "setup": """
            from dramatiq.brokers.stub import StubBroker

            dramatiq.set_broker(StubBroker())

            @dramatiq.actor
            def work():
                pass
        """,
        "call": "work.send()",
        "found": "dramatiq.Actor.send",
    },
]
