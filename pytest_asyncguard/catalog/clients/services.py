"""Clouds, search engines, and what speaks gRPC."""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients.build import THREAD, calls, of
from pytest_asyncguard.catalog.rows import Call, inside

AIOBOTO: Final = "await client.call(...), with aioboto3"

ROWS: Final = (
    Call(
        target="botocore.client:BaseClient._make_api_call",
        name="boto3.client._make_api_call",
        rule="sync-client",
        by_caller=True,
        owned=True,
        twin=AIOBOTO,
    ),
    # The body of a download is read from the wire.
    *calls(
        "botocore.response",
        "StreamingBody.read",
        "sync-client",
        AIOBOTO,
        public="botocore.response",
    ),
    # The async clients call it too, and get something to await.
    *calls(
        "google.api_core.gapic_v1.method",
        "_GapicCallable.__call__",
        "sync-client",
        THREAD,
        when=inside,
    ),
    *calls(
        "grpc._channel",
        "_UnaryUnaryMultiCallable.__call__ _UnaryUnaryMultiCallable.with_call "
        "_StreamUnaryMultiCallable.__call__ _StreamUnaryMultiCallable.with_call "
        "_MultiThreadedRendezvous._next? _SingleThreadedRendezvous._next?",
        "sync-client",
        "grpc.aio",
    ),
    # Of a call just made: whether its answer was there already is a matter of luck.
    *calls(
        "grpc._channel",
        of("_MultiThreadedRendezvous", "result? exception?"),
        "sync-client",
        "grpc.aio",
    ),
    *calls(
        "grpc._utilities",
        "_ChannelReadyFuture.result?",
        "sync-client",
        "await channel.channel_ready(), with grpc.aio",
    ),
    *calls(
        "elastic_transport._transport",
        "Transport.perform_request",
        "sync-client",
        "elasticsearch.AsyncElasticsearch",
    ),
    # It is for tests to replace: what it calls is wrapped by itself.
    *calls(
        "elasticsearch.helpers",
        "bulk?",
        "sync-client",
        "elasticsearch.helpers.async_bulk",
        public="elasticsearch.helpers",
        when=inside,
    ),
    # Elasticsearch 7, which had its own.
    *calls(
        "elasticsearch.transport",
        "Transport.perform_request?",
        "sync-client",
        "elasticsearch.AsyncElasticsearch",
    ),
    *calls(
        "opensearchpy.transport",
        "Transport.perform_request",
        "sync-client",
        "opensearchpy.AsyncOpenSearch",
    ),
    # Rust: no socket of ours.
    *calls("tokenizers", of("Tokenizer", "from_pretrained?"), "sync-client", THREAD),
)
