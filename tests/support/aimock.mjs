// aimock (npm: @copilotkit/aimock) with reviewers to be named in a request's header X-AIMock-Context.
// Arguments: the folder in which it is installed, and the key that it lets in. Ends with its standard input.
import { createRequire } from "node:module";

const [folder, key] = process.argv.slice(2);
const { LLMock } = createRequire(`${folder}/`)("@copilotkit/aimock");

function receipt(request) {
  const text = request.messages.find((message) => message.role === "user").content;
  return ["a", "b"].map((end) => new RegExp(`^receipt-${end}: (\\w+)$`, "m").exec(text)[1]).join("-");
}

const finding = {
  title: "the division fails for an empty list",
  category: "correctness",
  severity: "critical",
  certainty: "proven",
  file: "app.py",
  side: "new",
  line_start: 3,
  line_end: 3,
  quote: "return total / count",
  trigger: "an empty list",
  consequence: "ZeroDivisionError",
  fix: "return 0 for an empty list",
};
const common = { summary: "A summary.", findings: [], verification_commands: ["python -m pytest"], questions: [] };
const usage = { prompt_tokens: 1200, completion_tokens: 40, prompt_tokens_details: { cached_tokens: 1000 } };

const says = (verdict, values = {}) => (request) => ({
  content: JSON.stringify({ ...common, verdict, findings: verdict === "block" ? [finding] : [], receipt: receipt(request) }),
  usage,
  ...values,
});
const fails = (status, message, values = {}) => ({ error: { message, code: null, ...values }, status });

const reviewers = {
  approving: says("approve"),
  blocking: says("block"),
  // What a fixture file can hold: it does not know the request, so it can't know the receipt.
  "approving from a tape": { content: JSON.stringify({ ...common, verdict: "approve", receipt: "a-b" }) },
  "blocking from a tape": { content: JSON.stringify({ ...common, verdict: "block", findings: [finding] }) },
  "approving as claude": says("approve", { model: "claude-opus-4-8" }),
  "blocking as claude": says("block", { model: "claude-opus-4-8-20260801" }),
  "approving after thought": says("approve", { reasoning: 'Verdict: block? {"verdict": "block"} No.' }),
  "cut short": says("approve", { finishReason: "length" }),
  filtered: says("approve", { finishReason: "content_filter" }),
  "calling a tool": { toolCalls: [{ name: "approve", arguments: '{"verdict": "approve"}' }] },
  "out of context": fails(400, "This model's maximum context length is 8192 tokens.", { code: "context_length_exceeded" }),
  "out of quota": fails(429, "You exceeded your current quota.", { code: "insufficient_quota" }),
};
for (const status of [400, 402, 403, 422, 503]) reviewers[`failing with ${status}`] = fails(status, "it went wrong");

const server = new LLMock({ host: "127.0.0.1", port: 0, auth: { apiKeys: [key] } });
for (const [context, response] of Object.entries(reviewers)) server.on({ context }, response);

const NO_FORM = fails(400, "This response_format type is unavailable now");
server.on({ context: "without schemas", responseFormat: "json_schema" }, NO_FORM);
server.on({ context: "without schemas" }, says("approve"));
server.on({ context: "without forms", responseFormat: "json_schema" }, NO_FORM);
server.on({ context: "without forms", responseFormat: "json_object" }, NO_FORM);
server.on({ context: "without forms" }, says("approve"));

server.on({ context: "busy once", sequenceIndex: 0 }, { ...fails(429, "slow down"), retryAfter: 0 });
server.on({ context: "busy once" }, says("approve"));

// A request of the Responses API has its form elsewhere, and comes here without one.
const NO_CHAT = "This model is only supported in v1/responses and not in v1/chat/completions.";
server.on({ context: "only in responses", responseFormat: "json_schema" }, fails(404, NO_CHAT, { param: "model" }));
server.on({ context: "only in responses" }, says("approve"));

console.log(await server.start());
process.stdin.on("end", () => process.exit(0)).resume();
