// The official TypeScript client, 2.x (`@modelcontextprotocol/client`), in both eras of the protocol.
//
// Usage: client2.cjs URL, where the fixture of the conformance kit is served.
const assert = require("node:assert/strict");
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");

async function use(url, mode, revision) {
  const client = new Client(
    { name: "interop", version: "2" },
    { capabilities: { sampling: {}, elicitation: {}, roots: {} }, versionNegotiation: { mode } },
  );
  client.setRequestHandler("sampling/createMessage", async ({ params }) => ({
    role: "assistant",
    model: "a-model",
    content: { type: "text", text: `${params.messages[0].content.text}? Paris.` },
  }));
  client.setRequestHandler("elicitation/create", async ({ params }) => ({
    action: "accept",
    content: Object.fromEntries(Object.keys(params.requestedSchema.properties).map((name) => [name, `my ${name}`])),
  }));
  client.setRequestHandler("roots/list", async () => ({ roots: [{ uri: "file:///home/ada" }] }));
  const updated = new Promise((resolve) =>
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => resolve(params.uri)),
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  assert.equal(client.getNegotiatedProtocolVersion(), revision);
  assert.equal(client.getServerVersion().name, "conformance");

  const text = async (name, args = {}, options = undefined) => {
    const result = await client.callTool({ name, arguments: args }, options);
    assert.ok(!result.isError, JSON.stringify(result));
    return result.content[0].text;
  };
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === "test_simple_text"));
  assert.match(await text("test_simple_text"), /^This is a simple text/);
  const progress = [];
  await text("test_tool_with_progress", {}, { onprogress: (step) => progress.push(step.progress) });
  assert.deepEqual(progress, [0, 50, 100]);
  assert.equal(await text("test_sampling", { prompt: "The capital of France" }), "LLM response: The capital of France? Paris.");
  assert.match(await text("test_elicitation", { message: "Who?" }), /"username": "my username"/);
  assert.equal(
    await text("test_input_required_result_multiple_inputs"),
    "Generate a greeting? Paris. my name (1 roots)",
  );
  assert.equal(await text("test_input_required_result_multi_round"), "my name likes my color");
  const prompt = await client.getPrompt({ name: "test_input_required_result_prompt" });
  assert.equal(prompt.messages[0].content.text, "Use this context: my context");
  const read = await client.readResource({ uri: "test://static-text" });
  assert.match(read.contents[0].text, /^This is the content/);
  if (mode === "legacy") {
    await client.subscribeResource({ uri: "test://watched-resource" });
  } else {
    await client.listen({ resourceSubscriptions: ["test://watched-resource"] });
  }
  await text("test_trigger_resource_update");
  assert.equal(await updated, "test://watched-resource");
  await client.close();
}

async function main(url) {
  await use(url, "legacy", "2025-11-25");
  await use(url, "auto", "2026-07-28");
  console.log("everything works");
}

main(process.argv[2]).then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
