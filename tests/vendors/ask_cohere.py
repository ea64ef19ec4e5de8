"""Asks a gateway to rank, by each of the clients of Cohere's SDK. Runs where that is installed.

Takes the gateway's address, a key, a model, and a model that there is not; prints what came of each as JSON.
"""

import asyncio
import json
import sys

import cohere
from cohere.core.api_error import ApiError

base_url, key, model, unknown = sys.argv[1:]
QUERY = "What is the capital of France?"
TEXTS = ["Paris is the capital of France.", "Bananas are yellow."]


def told(answer):
    return json.loads(answer.json(exclude_unset=True))


def of_version_1():
    with cohere.Client(api_key=key, base_url=base_url) as client:
        documents = [{"text": TEXTS[0], "title": "France"}, TEXTS[1]]
        return told(client.rerank(model=model, query=QUERY, documents=documents, return_documents=True))


def of_version_2():
    with cohere.ClientV2(api_key=key, base_url=base_url) as client:
        return told(
            client.rerank(model=model, query=QUERY, documents=TEXTS, top_n=2, max_tokens_per_doc=4096)
        )


async def at_once():
    async with cohere.AsyncClientV2(api_key=key, base_url=base_url) as client:
        return told(await client.rerank(model=model, query=QUERY, documents=TEXTS))


def refused(**wrong):
    asked = {"model": model, "query": QUERY, "documents": TEXTS, **wrong}
    try:
        with cohere.Client(api_key=wrong.pop("key", key), base_url=base_url) as client:
            asked.pop("key", None)
            client.rerank(**asked)
    except ApiError as error:
        return [type(error).__name__, error.status_code, error.body["error"]["message"]]


print(
    json.dumps(
        {
            "v1": of_version_1(),
            "v2": of_version_2(),
            "async": asyncio.run(at_once()),
            "unknown": refused(model=unknown),
            "bad key": refused(key="sk-nobody-has-this-one"),
            "of v1 alone": refused(rank_fields=["title"]),
        }
    )
)
