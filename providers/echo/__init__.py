"""The embedded provider that says back what it hears, to try the gateway without a vendor.

It is deterministic: the same request gets the same answer. It speaks the OpenAI dialect, so its
adapters are OpenAI's; `answers.py` decides what it says. The last user message comes back word by
word; `n`, `max_tokens`, `tools` with a `tool_choice` that asks for one, `response_format`,
`stream_options` and embeddings' `dimensions` and `encoding_format` work as one would expect. What it
cannot take, or what would make the answer huge, is refused with a 400 that names the field.

A request may carry an object `echo` that tells it how to behave. Every field is optional:

    delay         seconds, up to 600, before it answers at all
    pause         seconds, up to 600, between the events of a stream
    status        an HTTP status of an error, from 400 to 599: fail with it
    retry_after   seconds, sent as `retry-after` with `status`
    tool          the name of a tool to call, or an object {"name", "arguments"}
    reasoning     a text to send as the reasoning before the answer
    error_after   events of a stream after which it sends an error event
    stop_after    events of a stream after which its connection breaks; 0 before the first
    usage         false: it reports no token counts

With the OpenAI SDK: `extra_body={"echo": {"status": 503}}`.
"""
