import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import type { AnswerEvent, AnswerSource, ChatTurn } from "../../../src/cli/client/answers"
import { Conversation } from "../../../src/cli/repl/conversation"
import { History } from "../../../src/cli/repl/history"
import { Session } from "../../../src/cli/repl/session"
import type { Entry } from "../../../src/cli/repl/terminal"
import type { ModelTexts } from "../../../src/cli/show/model-texts"
import type { ModelFacts } from "../../../src/cli/show/show-text"
import { textOf } from "../../../src/domain/content"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ModelNotFound } from "../../../src/errors/model"
import { Cancelled, ContextLengthExceeded, Unsupported } from "../../../src/errors/request"
import type { InstructionBody } from "../../../src/formats/modelfile/parse"
import { fakeIo } from "../../support/fakes/fake-io"
import { FakeTerminal } from "../../support/fakes/fake-terminal"
import { tempFolder } from "../../support/temp-folder"

/** Answers every question with its words in capitals; `crash` breaks down and `forever` never ends. */
class EchoAnswers implements AnswerSource {
  readonly isRemote = false
  readonly turns: ChatTurn[] = []
  readonly loaded: string[] = []
  saved: { base: string; instructions: readonly InstructionBody[] } | undefined
  /** In tokens, of which every letter is one. */
  context = 8192

  async find(model: string): Promise<string> {
    if (model === "nope") throw new ModelNotFound(model)
    return model
  }

  async load(model: string): Promise<void> {
    this.loaded.push(model)
  }

  async *answer(turn: ChatTurn, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
    this.turns.push(turn)
    const question = textOf(turn.messages.at(-1)?.content ?? "")
    const length = turn.messages.reduce((sum, { content }) => sum + textOf(content).length, 0)
    if (length > this.context) throw new ContextLengthExceeded(length, this.context, "messages")
    if (question === "half a crash") yield { type: "text", text: "HALF" }
    if (question.endsWith("crash")) throw new WorkerCrashed("smol", "was killed by SIGKILL", [])
    const room = this.context - length + 1
    yield { type: "text", text: question.toUpperCase().slice(0, room) }
    while (question === "forever") {
      if (signal.aborted) throw new Cancelled()
      yield { type: "text", text: "." }
    }
    yield { type: "finish", reason: question.length < room ? "stop" : "length" }
    yield {
      type: "done",
      usage: { promptTokens: length, completionTokens: Math.min(question.length, room), cachedTokens: 0 },
      timings: { queueMs: 0, loadMs: 0, promptTokens: 5, promptMs: 1, generatedTokens: 2, generationMs: 1 },
    }
  }

  async contextLength(): Promise<number> {
    return this.context
  }

  async models(): Promise<readonly string[]> {
    return ["smol", "other"]
  }

  async facts(): Promise<ModelFacts> {
    const capabilities = ["completion"]
    const lengths = { contextLength: 8192, embeddingLength: 64 }
    return {
      kind: "text",
      architecture: "llama",
      parameterCount: 1000,
      quantization: "F32",
      capabilities,
      ...lengths,
    }
  }

  async texts(model: string): Promise<ModelTexts> {
    const messages = [{ role: "user", content: "Q" } as const]
    return {
      from: model,
      system: "Be kind.",
      template: "{{ x }}",
      messages,
      parameters: { top_k: 9, stop: ["a"] },
    }
  }

  async save(base: string, name: string, instructions: readonly InstructionBody[]): Promise<string> {
    this.saved = { base, instructions }
    return `${name}:latest`
  }

  async setContextLength(tokens: number): Promise<void> {
    if (tokens > 100_000) throw new Unsupported("too much")
    this.context = tokens
  }

  async close(): Promise<void> {}
}

const CTRL_C: Entry = { type: "interrupt", wasEmpty: true }
const CTRL_C_ON_TEXT: Entry = { type: "interrupt", wasEmpty: false }

function talk(...entries: (string | Entry)[]) {
  return talkTo(new EchoAnswers(), entries)
}

/** With a context of so many letters. */
function talkIn(context: number, ...entries: string[]) {
  return talkTo(Object.assign(new EchoAnswers(), { context }), entries)
}

async function talkTo(source: EchoAnswers, entries: readonly (string | Entry)[]) {
  using folder = tempFolder()
  const terminal = new FakeTerminal(entries)
  terminal.onWrite = (text, pressCtrlC) => {
    if (text === ".") pressCtrlC()
  }
  const io = fakeIo({ columns: 200 })
  const conversation = new Conversation({ model: "smol", system: "", parameters: {}, isVerbose: false })
  const history = new History(join(folder.path, "history"))
  await new Session({ conversation, source, terminal, history, io }).run()
  return { source, terminal, io, conversation, history: await history.load() }
}

const contents = (turn: ChatTurn | undefined) =>
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
    expect(source.turns[0]?.options.sampling).toEqual({ temperature: 0 })
    expect(terminal.shown).toContain("Set parameter 'temperature' to '0'")
    expect(terminal.shown).toContain("temperature    0\n")
  })

  test("a wrong parameter is an error, and nothing changes", async () => {
    const { source, io } = await talk("/set parameter temperature hot", "one")
    expect(io.err).toBe("Error: temperature must be a number from 0 to 2, got 'hot'\n")
    expect(source.turns[0]?.options.sampling).toEqual({})
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
    const { source, terminal } = await talk(
      "/set system Be brief.",
      "/set parameter max_tokens 9",
      "/set parameter mirostat 1",
      "/set parameter num_ctx 200",
      "one",
      "/save mine",
    )
    expect(source.saved).toEqual({
      base: "smol",
      instructions: [
        { type: "system", value: "Be brief." },
        { type: "parameter", name: "num_predict", value: 9 },
        { type: "parameter", name: "num_ctx", value: 200 },
        { type: "message", role: "user", content: "Q" },
        { type: "message", role: "user", content: "one" },
        { type: "message", role: "assistant", content: "ONE" },
      ],
    })
    expect(terminal.shown).toContain(
      "Not model parameters, left out: mirostat\nCreated new model 'mine:latest'\n",
    )
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
