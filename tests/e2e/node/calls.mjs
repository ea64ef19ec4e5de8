// Reads scenarios from stdin, runs each with the official client, writes what happened to stdout.
// {name, operation, key?, body} → {name: {result} | {error: {class, status, code, requestID, seen}}}
import OpenAI from "openai";

const text = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");

const operations = {
  async chat(client, body) {
    const answer = await client.chat.completions.create(body);
    return { content: answer.choices[0].message.content, requestID: answer._request_id };
  },
  async stream(client, body, seen) {
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) seen.push(chunk);
    return { content: text(seen), chunks: seen.length, usage: seen.at(-1).usage ?? null };
  },
  async helper(client, body) {
    const answer = await client.chat.completions.stream(body).finalChatCompletion();
    const { message, finish_reason } = answer.choices[0];
    return { content: message.content, finish_reason, calls: message.tool_calls };
  },
  async embed(client, body) {
    const answer = await client.embeddings.create(body);
    return { numbers: answer.data[0].embedding.every(Number.isFinite), length: answer.data[0].embedding.length };
  },
  async models(client) {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return { names };
  },
  async leave(client, body, seen) {
    const stream = await client.chat.completions.create({ ...body, stream: true });
    for await (const chunk of stream) {
      seen.push(chunk);
      break; // leaving the loop aborts the request
    }
    return { chunks: seen.length };
  },
};

const input = await new Response(process.stdin).json();
const results = {};
for (const { name, operation, key, body } of input.scenarios) {
  const client = new OpenAI({ baseURL: input.url, apiKey: key ?? input.key, maxRetries: 0, timeout: 10_000 });
  const seen = [];
  try {
    results[name] = { result: await operations[operation](client, body, seen) };
  } catch (error) {
    const { status, code, message, requestID } = error;
    results[name] = { error: { class: error.constructor.name, status, code, message, requestID, seen: text(seen) } };
  }
}
console.log(JSON.stringify(results));
