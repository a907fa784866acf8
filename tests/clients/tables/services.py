"""Clouds, SDKs and search engines, at a stub or under moto."""

from __future__ import annotations

RULE = "sync-client"

ROWS = [
    {
        "name": "boto3 client under moto",
        "needs": "boto3 moto",
        "setup": """
            import moto

            OPTIONS = {"region_name": "us-east-1", "aws_access_key_id": "x"}
            OPTIONS["aws_secret_access_key"] = "y"

            @pytest.fixture(autouse=True)
            def wire():
                global S3
                with moto.mock_aws():
                    S3 = boto3.client("s3", **OPTIONS)
                    S3.create_bucket(Bucket="bucket")
                    yield
        """,
        "call": "S3.put_object(Bucket='bucket', Key='key', Body=b'x')",
        "found": "boto3.client.put_object",
        "twin": "S3.generate_presigned_url('get_object', Params={'Bucket': 'b', 'Key': 'k'})",
    },
    {
        "name": "boto3 resource under moto",
        "needs": "boto3 moto",
        "setup": """
            import moto

            OPTIONS = {"region_name": "us-east-1", "aws_access_key_id": "x"}
            OPTIONS["aws_secret_access_key"] = "y"

            @pytest.fixture(autouse=True)
            def wire():
                global QUEUE
                with moto.mock_aws():
                    QUEUE = boto3.resource("sqs", **OPTIONS).create_queue(QueueName="q")
                    yield
        """,
        "call": "QUEUE.send_message(MessageBody='x')",
        "found": "boto3.client.send_message",
    },
    {
        "name": "the body of a boto3 download",
        "needs": "boto3 moto",
        "setup": """
            import moto

            OPTIONS = {"region_name": "us-east-1", "aws_access_key_id": "x"}
            OPTIONS["aws_secret_access_key"] = "y"

            @pytest.fixture(autouse=True)
            def wire():
                global BODY
                with moto.mock_aws():
                    s3 = boto3.client("s3", **OPTIONS)
                    s3.create_bucket(Bucket="bucket")
                    s3.put_object(Bucket="bucket", Key="key", Body=b"x")
                    BODY = s3.get_object(Bucket="bucket", Key="key")["Body"]
                    yield
        """,
        "call": "BODY.read()",
        "found": "botocore.httpchecksum.StreamingChecksumBody.read",
    },
    {
        "name": "openai at a stub",
        "needs": "openai",
        "setup": """
            OPTIONS = {"api_key": "k", "base_url": stub.URL, "max_retries": 0}
            CLIENT = openai.OpenAI(**OPTIONS)
            TWIN = openai.AsyncOpenAI(**OPTIONS)
            # What a package exports on demand is known as its own once somebody has asked for it.
            from openai.resources.chat.completions import Completions
        """,
        "call": "CLIENT.chat.completions.create(model='m', messages=[])",
        "found": "openai.resources.chat.completions.Completions.create",
        "twin": "await TWIN.chat.completions.create(model='m', messages=[])",
    },
    {
        "name": "anthropic at a stub",
        "needs": "anthropic",
        "setup": """
            OPTIONS = {"api_key": "k", "base_url": stub.URL, "max_retries": 0}
            CLIENT = anthropic.Anthropic(**OPTIONS)
            TWIN = anthropic.AsyncAnthropic(**OPTIONS)
            SAID = [{"role": "user", "content": "a"}]
            MESSAGE = {"model": "m", "max_tokens": 3, "messages": SAID}
        """,
        "call": "CLIENT.messages.create(**MESSAGE)",
        "found": "anthropic.resources.Messages.create",
        "twin": "await TWIN.messages.create(**MESSAGE)",
    },
    {
        "name": "elasticsearch at a stub",
        "needs": "elasticsearch aiohttp",
        "setup": """
            CLIENT = elasticsearch.Elasticsearch(stub.URL)
            TWIN = elasticsearch.AsyncElasticsearch(stub.URL)
        """,
        "call": "CLIENT.search(index='a')",
        "found": "elasticsearch.Elasticsearch.search",
        "twin": "await TWIN.search(index='a')",
    },
    {
        "name": "PyJWT at a stub",
        "needs": "jwt",
        "setup": "KEYS = jwt.PyJWKClient(stub.URL)",
        "call": """
            with contextlib.suppress(jwt.PyJWTError):
                KEYS.get_signing_keys()  #!
        """,
        "found": "jwt.PyJWKClient.get_signing_keys",
    },
    {
        "name": "opensearch at a stub",
        "needs": "opensearchpy",
        "setup": "CLIENT = opensearchpy.OpenSearch(stub.URL)",
        "call": "CLIENT.search(index='a')",
        "found": "opensearchpy.OpenSearch.search",
    },
    {
        "name": "stripe at a stub",
        "needs": "stripe",
        "setup": "CLIENT = stripe.StripeClient('k', base_addresses={'api': stub.URL})",
        "call": "CLIENT.v1.customers.create({'email': 'a@b.test'})",
        "found": "stripe._customer_service.CustomerService.create",
    },
    {
        "name": "docker at a stub",
        "needs": "docker",
        "setup": """
            CLIENT = docker.DockerClient(f"tcp://127.0.0.1:{stub.PORT}", version="1.44")
        """,
        "call": "CLIENT.containers.list()",
        "found": "docker.models.containers.ContainerCollection.list",
    },
    {
        "name": "twilio at a stub",
        "needs": "twilio",
        "setup": """
            import twilio.rest

            CLIENT = twilio.rest.Client("a", "b")
            CLIENT.api.base_url = stub.URL
        """,
        "call": "CLIENT.messages.create(to='1', from_='2', body='x')",
        "found": "twilio.rest.api.MessageList.create",
    },
    {
        "name": "slack_sdk at a stub",
        "needs": "slack_sdk aiohttp",
        "setup": """
            from slack_sdk.web.async_client import AsyncWebClient

            CLIENT = slack_sdk.WebClient("t", base_url=stub.URL + "/")
            TWIN = AsyncWebClient("t", base_url=stub.URL + "/")
        """,
        "call": "CLIENT.chat_postMessage(channel='a', text='b')",
        "found": "slack_sdk.WebClient.chat_postMessage",
        "twin": "await TWIN.chat_postMessage(channel='a', text='b')",
    },
    {
        "name": "minio at a stub",
        "needs": "minio",
        "setup": """
            CLIENT = minio.Minio(
                f"127.0.0.1:{stub.PORT}", access_key="a", secret_key="b", secure=False,
                region="us-east-1",
            )
        """,
        "call": "CLIENT.stat_object('bucket', 'key')",
        "found": "minio.Minio.stat_object",
        "twin": "CLIENT.presigned_get_object('bucket', 'key')",
    },
    {
        "name": "supabase at a stub",
        "needs": "supabase",
        "setup": "TABLE = supabase.create_client(stub.URL, 'k').table('a')",
        "call": "TABLE.select('*').execute()",
        "found": "postgrest.SyncQueryRequestBuilder.execute",
    },
    {
        "name": "google-cloud-storage at a stub",
        "needs": "google.cloud.storage",
        "setup": """
            import google.cloud.storage
            from google.auth.credentials import AnonymousCredentials

            BUCKET = google.cloud.storage.Client(
                project="p",
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": stub.URL},
            ).bucket("b")
        """,
        "call": "BUCKET.get_blob('x')",
        "found": "google.cloud.storage.Bucket.get_blob",
    },
    {
        "name": "grpc, refused",
        "needs": "grpc",
        "setup": """
            SHOUT = grpc.insecure_channel("127.0.0.1:1").unary_unary("/a/b")
            TWIN = "127.0.0.1:1"
        """,
        "call": """
            with contextlib.suppress(grpc.RpcError):
                SHOUT(b"x")  #!
        """,
        "found": "grpc._UnaryUnaryMultiCallable",
        "twin": """
            async with grpc.aio.insecure_channel(TWIN) as channel:
                with contextlib.suppress(grpc.RpcError):
                    await channel.unary_unary("/a/b")(b"x")
        """,
    },
    {
        "name": "a future of grpc, refused",
        "needs": "grpc",
        "setup": """
            CHANNEL = grpc.insecure_channel("127.0.0.1:1")
            SHOUT = CHANNEL.unary_unary("/a/b")
        """,
        "call": """
            with contextlib.suppress(grpc.RpcError):
                SHOUT.future(b"x").result()  #! grpc._MultiThreadedRendezvous.result
            SHOUT.future(b"x").exception()  #! grpc._MultiThreadedRendezvous.exception
            with contextlib.suppress(grpc.FutureTimeoutError):
                grpc.channel_ready_future(CHANNEL).result(0.01)  #! grpc._ChannelReadyFuture.result
        """,
        "twin": "SHOUT.future(b'x').cancel()",
    },
    {
        "name": "firestore on gRPC, refused",
        "needs": "google.cloud.firestore grpc",
        "setup": """
            import google.cloud.firestore
            from google.api_core.exceptions import GoogleAPICallError
            from google.auth.credentials import AnonymousCredentials

            CLIENT = google.cloud.firestore.Client(
                project="p",
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": "127.0.0.1:1"},
            )
        """,
        "call": """
            with contextlib.suppress(GoogleAPICallError):
                CLIENT.collection("a").document("b").get(retry=None, timeout=0.05)  #!
        """,
        "found": "google.cloud.firestore_v1.DocumentReference.get",
    },
]
