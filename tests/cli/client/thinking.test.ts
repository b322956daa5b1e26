import { afterEach, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { remoteRunner } from "../../../src/cli/client/remote-runner"
import type { ModelRunner } from "../../../src/cli/client/runner"
import { ServerClient } from "../../../src/cli/client/server-client"
import { toChatBody } from "../../../src/cli/client/server-bodies"
import { answerOnce, type OneShot } from "../../../src/cli/commands/run"
import { Conversation } from "../../../src/cli/repl/conversation"
import { History } from "../../../src/cli/repl/history"
import { Session } from "../../../src/cli/repl/session"
import { resolveInputs } from "../../../src/config/resolve"
import type { ChatRequest, GenerationEvent } from "../../../src/domain/chat"
import type { ReasoningField } from "../../../src/domain/settings"
import { toChatCall } from "../../../src/http/openai/translate"
import { listen, type Listener } from "../../../src/http/server/listen"
import { FakeEngine } from "../../support/fakes/fake-engine"
import { fakeIo, type FakeIoOptions } from "../../support/fakes/fake-io"
import { FakeTerminal } from "../../support/fakes/fake-terminal"
import { fakeServer } from "../../support/http"
import { greedyChat } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

const listeners: Listener[] = []
const folder = tempFolder()
process.on("exit", () => folder[Symbol.dispose]())

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()))
})

/** Thinks, and answers; the thinking names the question. */
async function* thoughtful({ messages }: ChatRequest): AsyncGenerator<GenerationEvent> {
  const question = String(messages.at(-1)?.content)
  yield { type: "prompt", tokens: 5 }
  yield { type: "part-start", choice: 0, part: "reasoning" }
  for (const text of ["\nabout ", `${question}\n`])
    yield { type: "delta", choice: 0, part: "reasoning", text, tokens: 1 }
  yield { type: "part-end", choice: 0, part: "reasoning" }
  yield { type: "part-start", choice: 0, part: "text" }
  for (const text of ["\n\n", "It is", " 4."])
    yield { type: "delta", choice: 0, part: "text", text, tokens: 1 }
  yield { type: "part-end", choice: 0, part: "text" }
  yield { type: "finish", choice: 0, reason: "stop", completionTokens: 5 }
  yield {
    type: "done",
    usage: { promptTokens: 5, completionTokens: 5, cachedTokens: 0, reasoningTokens: 2 },
    timings: { queueMs: 0, loadMs: 0, promptTokens: 5, promptMs: 1, generatedTokens: 5, generationMs: 9 },
  }
}

async function runnerOf(where: "process" | "server", reasoningField: ReasoningField = "reasoning_content") {
  const engine = new FakeEngine((request) => {
    if (request.kind !== "chat") throw new Error("not a chat")
    return thoughtful(request)
  })
  const noStore = () => Promise.reject(new Error("nothing is saved here"))
  const local: ModelRunner = {
    backend: engine,
    find: async (model) => model,
    fromOf: async (model) => model,
    openStore: noStore,
    setContextLength: async () => {},
  }
  if (where === "process") return { engine, runner: local }
  const { app } = fakeServer(undefined, { engine, settings: { reasoningField } })
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  listeners.push(listener)
  const inputs = resolveInputs({ flags: {}, environment: {} })
  return { engine, runner: remoteRunner(new ServerClient(listener), inputs, true) }
}

describe.each(["process", "server"] as const)("thinking of a model of a %s", (where) => {
  async function answered(flags: OneShot["flags"], io: FakeIoOptions = {}) {
    const { runner } = await runnerOf(where)
    const out = fakeIo({ input: "", ...io })
    await answerOnce({ name: "tiny", question: "2+2", flags, io: out, runner })
    return out
  }

  test("is not in the output of a pipe", async () => {
    expect((await answered({})).out).toBe("It is 4.\n")
  })

  test("is shown on a terminal before the answer, in grey", async () => {
    const { out } = await answered({}, { isTerminal: true })
    expect(out).toBe("\x1b[90mThinking...\nabout 2+2\n...done thinking.\n\n\x1b[0mIt is 4.\n")
  })

  test("is shown without colours where these are not wanted", async () => {
    const { out } = await answered({}, { isTerminal: true, environment: { NO_COLOR: "1" } })
    expect(out).toBe("Thinking...\nabout 2+2\n...done thinking.\n\nIt is 4.\n")
  })

  test("can be hidden", async () => {
    const { out } = await answered({ hideThinking: true }, { isTerminal: true })
    expect(out).toBe("It is 4.\n")
  })

  test("is a field of the answer as JSON, and counted", async () => {
    const { out } = await answered({ json: true }, { isTerminal: true })
    expect(JSON.parse(out)).toMatchObject({
      text: "\n\nIt is 4.",
      reasoning: "\nabout 2+2\n",
      usage: { completion_tokens_details: { reasoning_tokens: 2 } },
    })
  })

  test("of earlier turns is sent back, and how much there is can be set", async () => {
    const { engine, runner } = await runnerOf(where)
    const lines = [
      "one",
      "/set think",
      "two",
      "/set think high",
      "three",
      "/set nothink",
      "four",
      "/set think a lot",
    ]
    const terminal = new FakeTerminal([...lines, "/set think lots"])
    const conversation = new Conversation({ model: "tiny", system: "", parameters: {}, isVerbose: false })
    const io = fakeIo({ columns: 200 })
    const history = new History(join(folder.path, "history"))
    await new Session({ conversation, runner, terminal, history, io }).run()
    const asked = engine.calls.map(({ request }) => request as ChatRequest)
    expect(asked.map(({ reasoning }) => reasoning)).toEqual([
      undefined,
      { isEnabled: true },
      { effort: "high", isEnabled: true },
      { effort: "none", isEnabled: false },
    ])
    expect(asked[1]?.messages).toEqual([
      { role: "user", content: "one" },
      { role: "assistant", content: "\n\nIt is 4.", reasoning: "\nabout one\n" },
      { role: "user", content: "two" },
    ])
    expect(terminal.shown).toContain("about one")
    expect(terminal.shown).toContain("Set 'think' mode.\n")
    expect(terminal.shown).toContain("Set 'think' mode to 'high'.\n")
    expect(terminal.shown).toContain("Set 'nothink' mode.\n")
    expect(terminal.shown).toContain("Usage: /set think")
    expect(io.err).toContain("/set think must be one of true, false, minimal, low, medium, high, xhigh, max")
  })
})

test("thinking of a server that has another name for it is shown as well", async () => {
  const { runner } = await runnerOf("server", "reasoning")
  const io = fakeIo({ input: "", isTerminal: true })
  await answerOnce({ name: "tiny", question: "2+2", flags: {}, io, runner })
  expect(io.out).toContain("Thinking...\nabout 2+2\n")
})

test("a server reads the tools, calls and thinking of a request as they were", () => {
  const request = greedyChat(
    [
      { role: "user", content: "2+2" },
      {
        role: "assistant",
        content: "",
        reasoning: "Add them.",
        toolCalls: [{ id: "call_1", name: "add", arguments: '{"a":2,"b":2}' }],
      },
      { role: "tool", content: "4", toolCallId: "call_1", name: "add" },
    ],
    {
      model: "tiny",
      tools: {
        tools: [
          { name: "add", description: "Adds.", parameters: { type: "object" }, isStrict: true },
          { name: "now", isStrict: false },
        ],
        choice: "required",
        callable: ["add"],
        isParallel: false,
      },
      reasoning: { effort: "low", isEnabled: true, budgetTokens: 50, isInline: true },
    },
  )
  expect(toChatCall(toChatBody(request)).request).toEqual(request)
})
