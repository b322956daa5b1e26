import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ModelRunner } from "../../../src/cli/client/runner"
import { Conversation } from "../../../src/cli/repl/conversation"
import { History } from "../../../src/cli/repl/history"
import { Session } from "../../../src/cli/repl/session"
import type { Entry } from "../../../src/cli/repl/terminal"
import type { ChatRequest } from "../../../src/domain/chat"
import { textOf } from "../../../src/domain/content"
import type { ModelFacts } from "../../../src/domain/model"
import type { AnswerEvent, ModelBackend } from "../../../src/engine/contract"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ModelNotFound } from "../../../src/errors/model"
import { Cancelled, ContextLengthExceeded, Unsupported } from "../../../src/errors/request"
import type { Store } from "../../../src/store/contract"
import { fakeIo } from "../../support/fakes/fake-io"
import { FakeTerminal } from "../../support/fakes/fake-terminal"
import { ModelsFolder } from "../../support/files/models-folder"
import { tempFolder } from "../../support/temp-folder"

/** Answers every question with its words in capitals; `crash` breaks down and `forever` never ends. */
class EchoModels implements ModelRunner, ModelBackend {
  readonly backend = this
  readonly turns: ChatRequest[] = []
  readonly loaded: string[] = []
  readonly #store: Store
  /** In tokens, of which every letter is one. */
  context = 8192
  warnings: readonly string[] = []

  constructor(store: Store) {
    this.#store = store
  }

  async find(model: string): Promise<string> {
    if (model === "nope") throw new ModelNotFound(model)
    return model
  }

  async preload(model: string): Promise<void> {
    this.loaded.push(model)
  }

  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
    this.turns.push(request)
    const question = textOf(request.messages.at(-1)?.content ?? "")
    const length = request.messages.reduce((sum, { content }) => sum + textOf(content).length, 0)
    if (length > this.context) throw new ContextLengthExceeded(length, this.context, "messages")
    if (question === "half a crash") yield { type: "delta", part: "text", text: "HALF" }
    if (question.endsWith("crash")) throw new WorkerCrashed("smol", "was killed by SIGKILL", [])
    yield { type: "prompt", warnings: this.warnings }
    const room = this.context - length + 1
    yield { type: "delta", part: "text", text: question.toUpperCase().slice(0, room) }
    while (question === "forever") {
      if (signal.aborted) throw new Cancelled()
      yield { type: "delta", part: "text", text: "." }
    }
    const most = request.maxTokens ?? Infinity
    yield { type: "finish", reason: question.length < Math.min(room, most) ? "stop" : "length" }
    yield {
      type: "done",
      usage: { promptTokens: length, completionTokens: Math.min(question.length, room), cachedTokens: 0 },
      timings: { queueMs: 0, loadMs: 0, promptTokens: 5, promptMs: 1, generatedTokens: 2, generationMs: 1 },
    }
  }

  async contextLength(): Promise<number> {
    return this.context
  }

  async list() {
    return [{ name: "smol" }, { name: "other" }]
  }

  async show(name: string): Promise<ModelFacts> {
    return {
      name,
      kind: name === "voice" ? "image" : "text",
      architecture: "llama",
      parameterCount: 1000,
      quantization: "F32",
      capabilities: ["completion"],
      contextLength: 8192,
      embeddingLength: 64,
      components: [],
      chatTemplate: "{{ x }}",
      defaults: {
        system: "Be kind.",
        messages: [{ role: "user", content: "Q" }],
        sampling: { topK: 9 },
        stop: ["a"],
      },
    }
  }

  async fromOf(model: string): Promise<string> {
    return model
  }

  async openStore(): Promise<Store> {
    return this.#store
  }

  async setContextLength(tokens: number): Promise<void> {
    if (tokens > 100_000) throw new Unsupported("too much")
    this.context = tokens
  }

  embed = () => this.#nothing()
  speak = () => this.#nothing()
  transcribe = () => this.#nothing()
  generateImage = () => this.#nothing()

  #nothing(): never {
    throw new Error("it only chats")
  }

  async stop(): Promise<boolean> {
    return false
  }

  async close(): Promise<void> {}
}

const CTRL_C: Entry = { type: "interrupt", wasEmpty: true }
const CTRL_C_ON_TEXT: Entry = { type: "interrupt", wasEmpty: false }

function talk(...entries: (string | Entry)[]) {
  return talkTo({}, entries)
}

/** With a context of so many letters. */
function talkIn(context: number, ...entries: string[]) {
  return talkTo({ context }, entries)
}

async function talkTo(
  change: Partial<Pick<EchoModels, "context" | "warnings">>,
  entries: readonly (string | Entry)[],
) {
  using models = new ModelsFolder()
  if (entries.some((entry) => typeof entry === "string" && entry.startsWith("/save"))) {
    await models.installTiny("smol")
  }
  const source = Object.assign(new EchoModels(models.store), change)
  const terminal = new FakeTerminal(entries)
  terminal.onWrite = (text, pressCtrlC) => {
    if (text === ".") pressCtrlC()
  }
  const io = fakeIo({ columns: 200 })
  const conversation = new Conversation({ model: "smol", system: "", parameters: {}, isVerbose: false })
  const history = new History(join(models.home, "history"))
  await new Session({ conversation, runner: source, terminal, history, io }).run()
  const saved = await models.store.manifest("mine").catch(() => undefined)
  return { source, terminal, io, conversation, saved, history: await history.load() }
}

const contents = (turn: ChatRequest | undefined) =>
  turn?.messages.map(({ role, content }) => `${role}: ${content}`)

describe("a conversation", () => {
  test("shows each answer and remembers what was said", async () => {
    const { source, terminal } = await talk("one", "two")
    expect(terminal.shown).toBe(">>> one\nONE\n\n>>> two\nTWO\n\n>>> \n")
    expect(contents(source.turns[1])).toEqual(["user: one", "assistant: ONE", "user: two"])
  })

  test("says what can be done, except inside of quotes", async () => {
    const { terminal, source } = await talk('"""a', 'b"""')
    expect(terminal.hints).toEqual([
      "Send a message (/? for help)",
      undefined,
      "Send a message (/? for help)",
    ])
    expect(terminal.shown).toStartWith('>>> """a\n... b"""\nA\nB\n\n')
    expect(contents(source.turns[0])).toEqual(["user: a\nb"])
  })

  test("ignores empty lines", async () => {
    expect((await talk("", "   ")).source.turns).toEqual([])
  })

  test.each(["/bye", "/exit"])("ends with %s", async (command) => {
    const { source } = await talk(command, "never asked")
    expect(source.turns).toEqual([])
  })

  test("takes quoted text for a message even where it looks like a command", async () => {
    const { source } = await talk('"""/bye"""')
    expect(contents(source.turns[0])).toEqual(["user: /bye"])
  })

  test("goes on after an error, without the question that failed", async () => {
    const { source, io } = await talk("crash", "two")
    expect(io.err).toBe("Error: the worker of model 'smol' was killed by SIGKILL\n")
    expect(contents(source.turns[1])).toEqual(["user: two"])
  })

  test("goes on after an error without the picture that may have caused it", async () => {
    const picture = join(import.meta.dir, "session.test.ts")
    const { source, io } = await talk(`/image ${picture}`, "crash", "two")
    expect(source.turns.map(({ messages }) => JSON.stringify(messages.at(-1)).includes(picture))).toEqual([
      true,
      false,
    ])
    expect(io.err).toStartWith("The next question is asked without the files that were added;")
  })

  test("says which paths stay text, as the model cannot see", async () => {
    using folder = tempFolder()
    const picture = join(folder.path, "cat.png")
    writeFileSync(picture, "picture")
    const { source, io } = await talk(`What is ${picture}`)
    expect(contents(source.turns[0])).toEqual([`user: What is ${picture}`])
    expect(io.err).toBe(`Note: model 'smol' gets the path '${picture}' only, not what is in the file\n`)
  })

  test("has an error in the middle of an answer on a line of its own", async () => {
    expect((await talk("half a crash")).terminal.shown).toStartWith(">>> half a crash\nHALF\n>>> ")
  })

  test("is kept in the history line by line, with its commands", async () => {
    expect((await talk("one", "/set nohistory", "two", "/set history", "three")).history).toEqual([
      "one",
      "/set nohistory",
      "three",
    ])
  })
})

describe("an answer", () => {
  const words = "one two three four five six seven eight nine ".repeat(5).trim()

  test("is preceded by warnings, each shown once", async () => {
    const { io } = await talkTo({ warnings: ["its template is built in"] }, ["one", "two"])
    expect(io.err).toBe("Warning: its template is built in\n\n")
  })

  test("has its lines broken between words, unless that is switched off", async () => {
    const { terminal } = await talk(words, "/set nowordwrap", words, "/set wordwrap")
    const [wrapped, , plain] = terminal.shown.split(">>> ").slice(1)
    expect(wrapped).toContain("THREE FOUR \nFIVE SIX SEVEN EIGHT NINE\n\n")
    expect(plain).toContain(`\n${words.toUpperCase()}\n\n`)
    expect(terminal.shown).toContain("Set 'nowordwrap' mode.\n")
  })
})

describe("a conversation that fills the context", () => {
  const long = "x".repeat(120)

  test("goes on without its oldest turns, and says how many it dropped", async () => {
    const { source, io } = await talkIn(1000, ...Array.from({ length: 4 }, (_, n) => n + long), "next")
    // 4 × 242 letters: 1000 of them hold no answer any more, 500 hold two turns with what a template adds.
    expect(contents(source.turns[4])).toEqual([
      `user: 3${long}`,
      `assistant: 3${long.toUpperCase()}`,
      "user: next",
    ])
    expect(io.err).toBe("The context is full: the 3 oldest questions and their answers were dropped.\n\n")
  })

  test("keeps the system message", async () => {
    const { source } = await talkIn(520, "/set system Be brief.", `a${long}`, `b${long}`, "next")
    expect(contents(source.turns[2])).toEqual(["system: Be brief.", "user: next"])
  })

  test("drops turns also where only the refusal tells", async () => {
    const { source, io } = await talkIn(700, `a${long}`, `b${long}`, long + long)
    expect(contents(source.turns.at(-1))).toEqual([`user: ${long}${long}`])
    expect(io.err).toContain("the 2 oldest questions and their answers were dropped.\n\n")
  })

  test("ends with an error where a question alone is too long", async () => {
    const { io, source } = await talkIn(100, "a", long, "b")
    expect(io.err).toStartWith(
      "Error: Input tokens exceed the configured limit of 100 tokens: the prompt has 120;",
    )
    expect(contents(source.turns.at(-1))).toEqual(["user: a", "assistant: A", "user: b"])
  })

  test("says where an answer was cut off", async () => {
    const { io } = await talkIn(200, long)
    expect(io.err).toContain("The answer was cut off: the context of 200 tokens is full.")
  })
})

test("JSON that is cut off is said not to be whole", async () => {
  const cut = "The answer was cut off and is not whole JSON"
  const limit = "/set parameter num_predict 2"
  expect((await talk(limit, "long")).io.err).not.toContain(cut)
  expect((await talk(limit, "/set format json", "long")).io.err).toContain(cut)
  expect((await talk("/set format json", "long")).io.err).not.toContain(cut)
})

describe("Ctrl-C", () => {
  test("stops an answer, of which what came is remembered", async () => {
    const { source, terminal } = await talk("forever", "two")
    expect(terminal.shown).toContain("FOREVER.\n\n>>> two")
    expect(contents(source.turns[1])).toEqual(["user: forever", "assistant: FOREVER.", "user: two"])
  })

  test("on an empty line says how to leave", async () => {
    const { terminal } = await talk(CTRL_C)
    expect(terminal.shown).toBe(">>> \nUse Ctrl + d or /bye to exit.\n>>> \n")
  })

  test("on a line with text just drops it", async () => {
    expect((await talk(CTRL_C_ON_TEXT)).terminal.shown).toBe(">>> \n>>> \n")
  })

  test("drops a message that was begun", async () => {
    const { source, terminal } = await talk('"""lost', CTRL_C, "next")
    expect(terminal.shown).not.toContain("/bye")
    expect(contents(source.turns[0])).toEqual(["user: next"])
  })
})

describe("commands of a conversation", () => {
  test("/clear forgets what was said, but not the system message", async () => {
    const { source } = await talk("/set system Be brief.", "one", "/clear", "two")
    expect(contents(source.turns[1])).toEqual(["system: Be brief.", "user: two"])
  })

  test("/set system replaces and removes the system message", async () => {
    const { source } = await talk("/set system a", "/set system b", "one", "/set system", "two")
    expect(contents(source.turns[0])?.[0]).toBe("system: b")
    expect(contents(source.turns[1])?.[0]).toBe("user: one")
  })

  test("/set parameter changes the next answers", async () => {
    const { source, terminal } = await talk("/set parameter temperature 0", "one", "/show parameters")
    expect(source.turns[0]?.sampling).toEqual({ temperature: 0 })
    expect(terminal.shown).toContain("Set parameter 'temperature' to '0'")
    expect(terminal.shown).toContain("temperature    0\n")
  })

  test("a wrong parameter is an error, and nothing changes", async () => {
    const { source, io } = await talk("/set parameter temperature hot", "one")
    expect(io.err).toBe("Error: temperature must be a number from 0 to 2, got 'hot'\n")
    expect(source.turns[0]?.sampling).toEqual({})
  })

  test("/set verbose shows how long answers take, /set quiet does not", async () => {
    const { io } = await talk("/set verbose", "one", "/set quiet", "two")
    expect(io.err.match(/eval rate: /g)).toHaveLength(2)
    expect(io.err.match(/total duration:/g)).toHaveLength(1)
  })

  test("/load goes on with another model and a new conversation", async () => {
    const { source, terminal } = await talk("one", "/load other", "two")
    expect(source.loaded).toEqual(["other"])
    expect(source.turns[1]).toMatchObject({ model: "other", messages: [{ content: "two" }] })
    expect(terminal.shown).toContain("Loaded model 'other'")
  })

  test("/load of an unknown model changes nothing", async () => {
    const { source, io } = await talk("one", "/load nope", "two")
    expect(io.err).toBe("Error: model 'nope' not found\n")
    expect(source.turns[1]?.model).toBe("smol")
    expect(source.turns[1]?.messages).toHaveLength(3)
  })

  test("/list lists, with a prefix only some", async () => {
    expect((await talk("/list")).terminal.shown).toContain("smol\nother\n")
    expect((await talk("/list OT")).terminal.shown).toBe(">>> /list OT\nother\n>>> \n")
  })

  test("/show info shows what is known", async () => {
    expect((await talk("/show info")).terminal.shown).toMatch(/architecture +llama[^]*context length +8192/)
  })

  test("/show template, system and modelfile show the model's own", async () => {
    expect((await talk("/show template")).terminal.shown).toContain("template\n{{ x }}\n")
    expect((await talk("/show system")).terminal.shown).toContain("system\nBe kind.\n")
    expect((await talk("/set system Be brief.", "/show system")).terminal.shown).toContain(
      "system\nBe brief.\n",
    )
    expect((await talk("/show modelfile")).terminal.shown).toContain(
      'FROM smol\nTEMPLATE "{{ x }}"\nSYSTEM "Be kind."\nPARAMETER top_k 9\nPARAMETER stop "a"\nMESSAGE user Q\n',
    )
  })

  test("/show parameters tells the model's from those that were set", async () => {
    const { terminal } = await talk(
      "/set parameter top_k 5",
      "/set parameter num_ctx 100",
      "/show parameters",
    )
    expect(terminal.shown).toContain(
      '  Model parameters\n    stop     "a"\n    top_k    9\n\n' +
        "  Parameters that were set\n    top_k      5\n    num_ctx    100\n",
    )
  })

  test("/set parameter num_ctx is for the model, which is loaded anew", async () => {
    const { source, terminal, io } = await talk(
      "/set parameter num_ctx 4k",
      "/set parameter num_ctx x",
      "one",
    )
    expect(source.context).toBe(4096)
    expect(terminal.shown).toContain("Set parameter 'num_ctx' to '4k'")
    expect(io.err).toContain("Error: num_ctx must be ")
  })

  test("/save makes a model of what was set and said", async () => {
    const { saved, terminal } = await talk(
      "/set system Be brief.",
      "/set parameter max_tokens 9",
      "/set parameter mirostat 1",
      "/set parameter num_ctx 200",
      "one",
      "/save mine",
    )
    expect(saved).toMatchObject({
      system: "Be brief.",
      parameters: { num_predict: 9, num_ctx: 200 },
      messages: [
        { role: "user", content: "Q" },
        { role: "user", content: "one" },
        { role: "assistant", content: "ONE" },
      ],
    })
    expect(terminal.shown).toContain(
      "Not model parameters, ignored: mirostat\nCreated new model 'mine:latest'\n",
    )
  })

  test("/load of a model of another kind names the command for it", async () => {
    const { io, source } = await talk("/load voice")
    expect(io.err).toBe(`Error: 'voice' is an image model; use 'xllm image voice "prompt"'\n`)
    expect(source.loaded).toEqual([])
  })

  test("a mistake is said and not sent", async () => {
    const { source, terminal } = await talk("/shwo info")
    expect(terminal.shown).toContain("Unknown command '/shwo'. Did you mean /show?")
    expect(source.turns).toEqual([])
  })

  test.each(["/?", "/? set", "/? show", "/? shortcuts"])("%s helps", async (command) => {
    expect((await talk(command)).terminal.shown).toMatch(/(Commands|shortcuts):\n/)
  })

  test("/? set names every parameter", async () => {
    expect((await talk("/? set")).terminal.shown).toMatch(/max_tokens N[^]*stop TEXT/)
  })
})
