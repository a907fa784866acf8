"""What blocks in the client libraries that FastAPI projects use.

Each library is wrapped at the methods through which all its synchronous work passes, above the
place where test doubles (responses, respx, moto, fakeredis, a mock transport) take over. A finding
is named after the function that the user called. Libraries are wrapped once they are imported,
and never imported from here.

Libraries that sit on another one need no row: openai, anthropic and supabase end in httpx, docker,
stripe and twilio in requests, boto3 and minio in urllib3. They are named by their own functions.
"""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.catalog.clients import (
    brokers,
    databases,
    files,
    hashes,
    protocols,
    services,
    web,
)
from pytest_asyncguard.catalog.clients.replaced import CLIENTS

__all__ = ["CALLS", "CLIENTS", "SIBLINGS", "TWINS"]

CALLS: Final = (
    *web.ROWS,
    *protocols.ROWS,
    *services.ROWS,
    *brokers.ROWS,
    *databases.ROWS,
    *hashes.ROWS,
    *files.ROWS,
)

SIBLINGS: Final = {
    "botocore": "boto3",
    "s3transfer": "boto3",
    "elastic_transport": "elasticsearch",
    "httpcore": "httpx",
    "httpcore2": "httpx2",
}
"""Libraries that people know by the name of another one."""

TWINS: Final[dict[str, str | None]] = {
    "openai": "await client.chat.completions.create(...), with openai.AsyncOpenAI",
    "anthropic": "await client.messages.create(...), with anthropic.AsyncAnthropic",
    "groq": "await client.chat.completions.create(...), with groq.AsyncGroq",
    "supabase": "supabase.acreate_client(...)",
    "postgrest": "supabase.acreate_client(...)",
    "stripe": "the *_async methods of stripe",
    "twilio": "the *_async methods of twilio, with AsyncTwilioHttpClient",
    "slack_sdk": "await client.chat_postMessage(...), with slack_sdk's AsyncWebClient",
    "docker": None,
    "minio": None,
    "elasticsearch": "elasticsearch.AsyncElasticsearch",
    "opensearchpy": "opensearchpy.AsyncOpenSearch",
    "google": None,
    "celery": None,
    "huggingface_hub": None,
    "hvac": None,
    "firebase_admin": None,
    "influxdb_client": "influxdb_client.client.influxdb_client_async",
    "azure": "the .aio packages of azure",
}
"""The async twins of libraries that sit on a wrapped one, by their top-level name."""
