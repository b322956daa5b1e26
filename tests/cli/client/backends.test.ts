import { afterEach, describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toChatRequest } from "../../../src/cli/client/chat-request"
import { remoteRunner } from "../../../src/cli/client/remote-runner"
import type { ModelRunner } from "../../../src/cli/client/runner"
import { ServerClient } from "../../../src/cli/client/server-client"
import { resolveInputs } from "../../../src/config/resolve"
import { drawImages } from "../../../src/cli/commands/media/image"
import { answerOnce } from "../../../src/cli/commands/run"
import { speakInto } from "../../../src/cli/commands/media/speak"
import { printTranscript } from "../../../src/cli/commands/media/transcribe"
import { Conversation } from "../../../src/cli/repl/conversation"
import { History } from "../../../src/cli/repl/history"
import { Session } from "../../../src/cli/repl/session"
import { fileOutput } from "../../../src/cli/terminal/output-file"
import type { TextModelDetails } from "../../../src/domain/model"
import type { AnswerEvent } from "../../../src/engine/contract"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ContextLengthExceeded, InvalidRequest } from "../../../src/errors/request"
import { listen, type Listener } from "../../../src/http/server/listen"
import {
  answer,
  choiceEvents,
  done,
  FakeEngine,
  IMAGE_MODEL,
  RECOGNIZER_MODEL,
  type Script,
  untilAborted,
  VOICE_MODEL,
} from "../../support/fakes/fake-engine"
import { fakeIo } from "../../support/fakes/fake-io"
import { FakeTerminal } from "../../support/fakes/fake-terminal"
import { fakeServer } from "../../support/http"
import { tempFolder } from "../../support/temp-folder"

const listeners: Listener[] = []
const folder = tempFolder()
process.on("exit", () => folder[Symbol.dispose]())

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()))
})

/** A model with everything that a Modelfile can give it. */
const RICH_MODEL: TextModelDetails = {
  name: "rich:latest",
  kind: "text",
  path: "/models/rich.gguf",
  id: "0123456789ab",
  sizeBytes: 1000,
  modifiedAt: new Date("2026-01-02T03:04:05Z"),
  architecture: "llama",
  parameterCount: 135_000_000,
  quantization: "Q4_1",
  contextLength: 2048,
  embeddingLength: 64,
  layers: 30,
  heads: 9,
  license: "MIT\nDo as you like.\nAt your own risk.",
  chatTemplate: "{{ file }}",
  capabilities: ["completion", "chat"],
  metadata: {},
  aliases: ["wealthy"],
  parts: [{ role: "adapter", name: "a.gguf", path: "/models/a.gguf", sizeBytes: 500, scale: 0.5 }],
  defaults: {
    template: "{{ messages }}",
    system: "Be brief.",
    messages: [{ role: "user", content: "Q" }],
    sampling: { temperature: 0.5, topK: 9, seed: null, dynamicTemperatureRange: 0.25 },
    stop: ["a", "b"],
    maxTokens: 7,
    settings: { contextLength: 1024, keepAliveSeconds: null },
    notes: ["its parser 'x' is not supported: using the chat template of its file"],
  },
}

/** Models as the commands get them: from the engine of this process, or from a server over it. */
async function runnerOf(where: "process" | "server", engine: FakeEngine): Promise<ModelRunner> {
  engine.contexts = { trained: RICH_MODEL.contextLength, served: 256 }
  engine.mediaModels = [RICH_MODEL, VOICE_MODEL, RECOGNIZER_MODEL, IMAGE_MODEL]
  const noStore = () => Promise.reject(new Error("nothing is saved here"))
  if (where === "process") {
    return {
      backend: engine,
      find: async (model) => (await engine.resolve(model)).name,
      fromOf: async (model) => model,
      openStore: noStore,
      setContextLength: async () => {},
    }
  }
  const { app } = fakeServer(undefined, { engine })
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  listeners.push(listener)
  return remoteRunner(new ServerClient(listener), resolveInputs({ flags: {}, environment: {} }), true)
}

const never = new AbortController().signal

describe.each(["process", "server"] as const)("models of a %s", (where) => {
  /** What `xllm run MODEL QUESTION` prints. */
  async function answered(script: Script, flags: Parameters<typeof answerOnce>[0]["flags"] = {}) {
    const runner = await runnerOf(where, new FakeEngine(script))
    const io = fakeIo({ input: "" })
    const failure = await answerOnce({ name: "tiny", question: "hi", flags, io, runner }).then(
      () => undefined,
      (error: unknown) => error,
    )
    return { io, failure, server: runner.server?.name }
  }

  /** What a conversation with these lines shows. */
  async function talked(lines: readonly string[], script?: Script, onText?: (ctrlC: () => void) => void) {
    const engine = new FakeEngine(script)
    const runner = await runnerOf(where, engine)
    const terminal = new FakeTerminal(lines)
    terminal.onWrite = (text, pressCtrlC) => {
      if (text === "stop here") onText?.(pressCtrlC)
    }
    const io = fakeIo({ columns: 200 })
    const conversation = new Conversation({
      model: "rich:latest",
      system: "",
      parameters: {},
      isVerbose: false,
    })
    const history = new History(join(folder.path, "history"))
    await new Session({ conversation, runner, terminal, history, io }).run()
    return { shown: terminal.shown, err: io.err, server: runner.server?.name }
  }

  describe("run", () => {
    test("prints an answer", async () => {
      const { io } = await answered(() => answer(["Grüße", ", ", "Welt"]))
      expect([io.out, io.err]).toEqual(["Grüße, Welt\n", ""])
    })

    test("reports text, usage and timings as JSON", async () => {
      const { io } = await answered(() => answer(["a", "b"], { reason: "length" }), { json: true })
      expect(JSON.parse(io.out)).toEqual({
        model: "tiny",
        text: "ab",
        finish_reason: "length",
        usage: {
          prompt_tokens: 5,
          completion_tokens: 2,
          total_tokens: 7,
          prompt_tokens_details: { cached_tokens: 2 },
        },
        timings: {
          queue_ms: 3,
          load_ms: 4,
          prompt_n: 3,
          prompt_ms: 500,
          predicted_n: 2,
          predicted_ms: 100,
          total_ms: expect.any(Number),
        },
      })
    })

    test("reports how long it took", async () => {
      const { io } = await answered(() => answer(["a", "b", "c"]), { verbose: true })
      expect(io.err.replace(/^total duration: .*$/m, "total duration: -")).toBe(
        [
          "",
          "total duration: -",
          "load duration:        4ms",
          "queue duration:       3ms",
          "prompt eval count:    3 token(s)",
          "prompt cached count:  2 token(s)",
          "prompt eval duration: 500ms",
          "prompt eval rate:     6.00 tokens/s",
          "eval count:           3 token(s)",
          "eval duration:        200ms",
          "eval rate:            10.00 tokens/s",
          "",
        ].join("\n"),
      )
    })

    test("prints warnings about an answer", async () => {
      const { io } = await answered(async function* () {
        yield { type: "prompt", tokens: 5, warnings: ["the built-in chat template is used"] }
        yield* choiceEvents(["a"])
        yield done(1)
      })
      expect([io.out, io.err]).toEqual(["a\n", "warning: the built-in chat template is used\n"])
    })

    test("names the remedy for an answer that filled the context", async () => {
      const { io, server } = await answered(() => answer(["a", "b"], { reason: "length", promptTokens: 255 }))
      expect(io.err).toBe(
        where === "process"
          ? "The answer was cut off: the context of 256 tokens is full; --ctx sets a larger one.\n"
          : `The answer was cut off: the context of 256 tokens is full; the server at ${server} sets its size: ` +
              "start it with a larger --ctx.\n",
      )
    })

    test.each([
      ["before it begins", []],
      ["in its middle", ["Hel"]],
    ])("fails with the same words: %s", async (_when, texts) => {
      const { io, failure } = await answered(async function* () {
        if (texts.length > 0) yield { type: "prompt", tokens: 5 }
        for (const text of texts) yield { type: "delta", part: "text", choice: 0, text, tokens: 1 }
        throw new WorkerCrashed("tiny", "was killed by SIGKILL", [])
      })
      expect(failure).toMatchObject({
        code: "worker_crashed",
        message: "the worker of model 'tiny' was killed by SIGKILL",
      })
      expect(io.out).toBe(texts.join(""))
    })

    test("says where the details of a defect are", async () => {
      const { failure } = await answered(() => {
        throw new TypeError("undefined is not a function")
      })
      if (where === "process") expect(failure).toBeInstanceOf(TypeError)
      else {
        expect(failure).toMatchObject({
          code: "internal_error",
          message: expect.stringMatching(/^internal error; the server's log has more under request ID \S+$/),
        })
      }
    })

    test("fails with the figures of a question that is too long", async () => {
      const { failure } = await answered(() => {
        throw new ContextLengthExceeded(300, 256, "messages")
      })
      expect(failure).toMatchObject({
        code: "context_length_exceeded",
        details: { n_prompt_tokens: 300, n_ctx: 256 },
      })
    })

    test("sends every parameter that can be set", async () => {
      const engine = new FakeEngine()
      const { backend } = await runnerOf(where, engine)
      const asked = toChatRequest(
        "tiny",
        [
          { role: "system", content: "Be brief." },
          { role: "user", content: "hi", name: "Ann" },
        ],
        {
          sampling: {
            temperature: 0.5,
            topK: 3,
            dynamicTemperatureRange: 0.25,
            dynamicTemperatureExponent: 2,
            repeatLastN: -1,
            mirostat: 2,
            seed: 7,
            logitBias: [
              [5, -Infinity],
              ["no", -2],
            ],
          },
          maxTokens: Number.POSITIVE_INFINITY,
          minTokens: 2,
          stop: ["x"],
          keepAliveSeconds: null,
        },
      )
      await Array.fromAsync(backend.chat({ ...asked, cachePrompt: false }, never))
      const { sampling, ...others } = engine.lastRequest
      expect(others).toMatchObject({
        model: "tiny",
        messages: asked.messages,
        maxTokens: Number.POSITIVE_INFINITY,
        minTokens: 2,
        stop: ["x"],
        keepAliveSeconds: null,
        cachePrompt: false,
      })
      expect(sampling).toMatchObject(asked.sampling)
    })
  })

  test("tell how far a load is, and how long the queue", async () => {
    const seen: AnswerEvent[] = []
    const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const { backend } = await runnerOf(
      where,
      new FakeEngine(async function* () {
        yield { type: "loading", fraction: 0.25 }
        await next[0].promise
        yield { type: "queued", position: 3 }
        await next[1].promise
        yield* answer(["a"])
      }),
    )
    const request = toChatRequest("tiny", [{ role: "user", content: "hi" }], {
      sampling: {},
      minTokens: 0,
      stop: [],
    })
    for await (const event of backend.chat(request, never)) {
      seen.push(event)
      next[seen.length - 1]?.resolve()
    }
    expect(seen.slice(0, 2)).toEqual([
      { type: "loading", fraction: 0.25 },
      { type: "queued", position: 3 },
    ])
    // Only a process says where a part begins and ends.
    const types = seen.map(({ type }) => type).filter((type) => !type.startsWith("part-"))
    expect(types).toEqual(["loading", "queued", "prompt", "delta", "finish", "done"])
  })

  describe("a conversation", () => {
    test("shows the same facts about a model", async () => {
      expect((await talked(["/show info"])).shown).toBe(`>>> /show info
  Model
    architecture        llama
    parameters          135M
    context length      2048
    embedding length    64
    layers              30
    attention heads     9
    quantization        Q4_1
    embeddings          by the mean of a text's tokens
    aliases             wealthy

  Capabilities
    completion
    chat

  Parts
    adapter    a.gguf    500 B    scale 0.5

  License
    MIT
    Do as you like.
    ...

  Notes
    its parser 'x' is not supported: using the chat template of its file

>>> 
`)
    })

    test.each([
      ["template", "{{ messages }}\n"],
      ["system", "Be brief.\n"],
      ["license", "MIT\nDo as you like.\nAt your own risk.\n"],
      [
        "parameters",
        "  Model parameters\n    dynatemp_range    0.25\n    keep_alive        -1\n    num_ctx           1024\n" +
          '    num_predict       7\n    seed              -1\n    stop              "a"\n    stop              "b"\n' +
          "    temperature       0.5\n    top_k             9\n",
      ],
    ])("shows the same %s", async (topic, expected) => {
      expect((await talked([`/show ${topic}`])).shown).toBe(`>>> /show ${topic}\n${expected}>>> \n`)
    })

    test("shows the same Modelfile", async () => {
      const { shown } = await talked(["/show modelfile"])
      expect(shown).toContain('FROM rich:latest\nTEMPLATE "{{ messages }}"\nSYSTEM "Be brief."\n')
      expect(shown).toContain("PARAMETER num_ctx 1024\n")
      expect(shown).toContain("MESSAGE user Q\n")
    })

    test("lists the same models", async () => {
      expect((await talked(["/list"])).shown).toBe(
        ">>> /list\ntiny\nrich:latest\nwealthy\njoe\nears\nbrush\n>>> \n",
      )
    })

    test("refuses to load a model of another kind", async () => {
      expect((await talked(["/load joe"])).err).toBe(
        `Error: 'joe' is a text-to-speech model; use 'xllm speak joe "text"'\n`,
      )
    })

    test("is interrupted by Ctrl-C and keeps what came", async () => {
      const { shown, err } = await talked(
        ["one", "/show system"],
        async function* (_request, signal) {
          yield { type: "prompt", tokens: 5 }
          yield { type: "delta", part: "text", choice: 0, text: "stop here", tokens: 1 }
          await untilAborted(signal)
        },
        (pressCtrlC) => pressCtrlC(),
      )
      expect([shown, err]).toEqual([">>> one\nstop here\n\n>>> /show system\nBe brief.\n>>> \n", ""])
    })

    test("sets the context size, or says who does", async () => {
      const { shown, err, server } = await talked(["/set parameter num_ctx 4096"])
      if (where === "process") expect(shown).toContain("Set parameter 'num_ctx' to '4096'\n")
      else {
        expect(err).toBe(
          `Error: the server at ${server} sets the context size of its models: start it with --ctx 4096, ` +
            "or /save NAME now and talk to that model\n",
        )
      }
    })
  })

  describe("speak, transcribe and image", () => {
    const work = async (model: string, engine = new FakeEngine()) => ({
      backend: (await runnerOf(where, engine)).backend,
      model,
      signal: never,
    })
    const speech = { kind: "speech", model: "joe", input: "Hi.", format: "mp3", speed: 1 } as const

    test("speak into a file, and report the same", async () => {
      const path = join(folder.path, "speech.mp3")
      await using output = await fileOutput(path)
      const told = await speakInto(await work("joe"), speech, output, fakeIo())
      expect([...readFileSync(path)]).toEqual([1, 2, 3])
      expect(told).toEqual({
        bytes: 3,
        audio_seconds: 1,
        characters: 12,
        sentences: 2,
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      })
    })

    test("warn of what could not be spoken", async () => {
      const engine = new FakeEngine()
      const usual = engine.speechScript
      engine.speechScript = async function* (request, signal) {
        for await (const event of usual(request, signal))
          yield event.type === "done" ? { ...event, warnings: ["left out 'м'"] } : event
      }
      await using output = await fileOutput(join(folder.path, "warned.mp3"))
      const io = fakeIo()
      const summary = await speakInto(await work("joe", engine), speech, output, io)
      expect([io.err, summary.warnings]).toEqual(["warning: left out 'м'\n", ["left out 'м'"]])
    })

    test("fail with the same words", async () => {
      const engine = new FakeEngine()
      engine.speechScript = () => {
        throw new InvalidRequest("the voice 'bob' does not exist", "voice")
      }
      await using output = await fileOutput(join(folder.path, "none.mp3"))
      await expect(speakInto(await work("joe", engine), speech, output, fakeIo())).rejects.toThrow(
        "the voice 'bob' does not exist",
      )
    })

    test("transcribe a file", async () => {
      const path = join(folder.path, "talk.wav")
      writeFileSync(path, "sound")
      const io = fakeIo()
      await printTranscript(await work("ears"), path, "all", {}, io)
      expect(JSON.parse(io.out)).toEqual({
        model: "ears",
        task: "transcribe",
        language: "english",
        duration: 2,
        text: "Hello world.",
        segments: [
          { id: 0, start: 0, end: 1, text: "Hello", temperature: 0, compression_ratio: 0.385 },
          { id: 1, start: 1, end: 2, text: "world.", temperature: 0, compression_ratio: 0.429 },
        ],
        usage: { type: "duration", seconds: 2 },
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      })
    })

    test("draw images", async () => {
      const open = (index: number) => fileOutput(join(folder.path, `cat-${index}.png`))
      const request = {
        kind: "image",
        model: "brush",
        prompt: "a cat",
        n: 2,
        format: "png",
        preview: false,
      } as const
      const drawn = await drawImages(await work("brush"), { ...request, seed: 4 }, open, fakeIo())
      expect(drawn).toEqual({
        images: [
          { file: join(folder.path, "cat-0.png"), width: 64, height: 64, seed: 4 },
          { file: join(folder.path, "cat-1.png"), width: 64, height: 64, seed: 5 },
        ],
        steps: 4,
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      })
    })
  })
})
