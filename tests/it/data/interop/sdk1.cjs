// The official TypeScript client, 1.x (`@modelcontextprotocol/sdk`), which has sessions.
//
// Usage: sdk1.cjs URL, where the fixture of the conformance kit is served.
const assert = require("node:assert/strict");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = require("@modelcontextprotocol/sdk/types.js");

async function main(url) {
  const capabilities = { sampling: {}, elicitation: {}, roots: {} };
  const client = new Client({ name: "interop", version: "1" }, { capabilities });
  client.setRequestHandler(types.CreateMessageRequestSchema, async ({ params }) => ({
    role: "assistant",
    model: "a-model",
    content: { type: "text", text: `${params.messages[0].content.text}? Paris.` },
  }));
  client.setRequestHandler(types.ElicitRequestSchema, async ({ params }) => ({
    action: "accept",
    content: Object.fromEntries(Object.keys(params.requestedSchema.properties).map((name) => [name, `my ${name}`])),
  }));
  client.setRequestHandler(types.ListRootsRequestSchema, async () => ({ roots: [{ uri: "file:///home/ada" }] }));
  const updated = new Promise((resolve) =>
    client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri)),
  );
  const changed = new Promise((resolve) =>
    client.setNotificationHandler(types.ToolListChangedNotificationSchema, () => resolve(true)),
  );
  const logs = [];
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => logs.push(params.level));
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  assert.equal(client.getServerVersion().name, "conformance");

  const text = async (name, args = {}, options = undefined) => {
    const result = await client.callTool({ name, arguments: args }, undefined, options);
    assert.ok(!result.isError, JSON.stringify(result));
    return result.content[0].text;
  };
  // Listing first makes the client check structured results against the output schemas from here on.
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === "test_simple_text"));
  assert.match(await text("test_simple_text"), /^This is a simple text/);
  assert.equal((await client.callTool({ name: "test_error_handling" })).isError, true);
  const progress = [];
  await text("test_tool_with_progress", {}, { onprogress: (step) => progress.push(step.progress) });
  assert.deepEqual(progress, [0, 50, 100]);
  await client.setLoggingLevel("warning");
  await text("test_logging_tool");
  assert.deepEqual(logs, ["warning", "error"]);
  assert.equal(await text("test_sampling", { prompt: "The capital of France" }), "LLM response: The capital of France? Paris.");
  assert.match(await text("test_elicitation", { message: "Who?" }), /"username": "my username"/);
  assert.equal(await text("test_input_required_result_list_roots"), "Roots: file:///home/ada");

  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "conformance:count" },
    argument: { name: "letter", value: "b" },
  });
  assert.deepEqual(completion.values, ["b"]);
  const prompt = await client.getPrompt({ name: "conformance:count", arguments: { word: "banana", letter: "a" } });
  assert.equal(prompt.messages[0].content.text, "How many 'a' are in 'banana'?");
  await text("_hud_submit", { scenario: "count", answer: "3" });
  const grade = await client.readResource({ uri: "conformance:count" });
  assert.equal(JSON.parse(grade.contents[0].text).reward, 1);
  await assert.rejects(client.readResource({ uri: "test://nothing" }), { code: -32002 });
  await client.subscribeResource({ uri: "test://watched-resource" });
  await text("test_trigger_resource_update");
  assert.equal(await updated, "test://watched-resource");
  await text("test_trigger_tool_change");
  assert.equal(await changed, true);
  await client.close();
  console.log("everything works");
}

main(process.argv[2]).then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
