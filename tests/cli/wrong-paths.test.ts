import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { commands } from "../../src/cli/main"
import { failureText } from "../../src/cli/terminal/failure"
import { type DescribedCommand, describedCommands } from "../support/command-table"
import { fakeIo } from "../support/fakes/fake-io"
import { writeTinyModel } from "../support/files/tiny-model"
import { tempFolder } from "../support/temp-folder"
import { closeEnds, wrongPaths } from "../support/wrong-paths"

/** Longer than any of these commands takes, and far below what a command that hangs takes. */
const PATIENCE_MS = 20_000

const folder = tempFolder()
const model = join(folder.path, "tiny.gguf")
const damaged = join(folder.path, "damaged.gguf")
const modelfile = join(folder.path, "Modelfile")
const text = join(folder.path, "text.txt")
// The log of a server, and what a stopping server is told, go to the process's own stream.
const logged: string[] = []
const stderr = spyOn(process.stderr, "write").mockImplementation((text) => logged.push(String(text)) > 0)

beforeAll(async () => {
  await writeTinyModel(model, { layers: 1 })
  writeFileSync(damaged, "GGUF\x03\0\0\0")
  writeFileSync(modelfile, `FROM ${model}\n`)
  writeFileSync(text, "hello\n")
})
afterAll(() => {
  stderr.mockRestore()
  folder[Symbol.dispose]()
})

/** A place on a command line where a path may stand. */
interface Place {
  readonly title: string
  readonly command: string
  argv(path: string): readonly string[]
  /** Variables beside those that keep the network and the user's own files out. */
  environment?(path: string): Readonly<Record<string, string>>
}

/** What is given for the words that another place is looked at with: as much as can be done without a worker. */
const OPERANDS: Readonly<Record<string, string>> = {
  MODEL: model,
  SOURCE: model,
  TARGET: "copied",
  NAME: "./name",
  PROMPT: "hello",
  TEXT: "hello",
  PREFIX: "x",
  FILE: text,
  "add|list|rm": "add",
}

/** Models that are not run, because that would take a worker. */
const FOR_COMMAND: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: { MODEL: damaged },
  embed: { MODEL: damaged },
  benchmark: { MODEL: damaged },
  compare: { MODEL: damaged },
  profile: { MODEL: damaged },
  create: { MODEL: "created" },
  stop: { MODEL: "m" },
  rm: { MODEL: "m" },
}

/** More flags that a place needs to be reached. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  create: ["-f", modelfile],
  speak: ["--format", "wav"],
  image: ["--format", "png", "-o", join(folder.path, "drawn.png")],
  convert: ["-o", join(folder.path, "converted")],
  quantize: ["-o", join(folder.path, "quantized.gguf")],
  serve: ["--port", "0"],
  import: ["--name", "imported", "--force"],
}

function operandsOf({ name, words }: DescribedCommand): readonly string[] {
  // The optional ones of a server would be models to load.
  const given = words.filter(({ isOptional }) => !isOptional || name !== "serve")
  return given.map(({ word }) => FOR_COMMAND[name]?.[word] ?? OPERANDS[word] ?? text)
}

function placesOf(command: DescribedCommand): readonly Place[] {
  const { name, words, flags } = command
  const operands = operandsOf(command)
  const inWords = words.map(({ word }, index): Place => ({
    title: `${name} ${word}`,
    command: name,
    argv: (path) => [
      ...(index < operands.length ? operands.with(index, path) : [...operands, path]),
      ...(ALSO[name] ?? []),
    ],
  }))
  const inFlags = flags
    .filter(({ placeholder }) => /^(FILE|FOLDER|PATH)$/.test(placeholder))
    .map(({ name: flag }): Place => ({
      title: `${name} --${flag}`,
      command: name,
      argv: (path) => [...operands, ...(ALSO[name] ?? []), `--${flag}`, path],
    }))
  const home: Place = {
    title: `${name} with XLLM_HOME`,
    command: name,
    argv: () => [...operands, ...(ALSO[name] ?? [])],
    environment: (path) => ({ XLLM_HOME: path }),
  }
  return [...inWords, ...inFlags, home]
}

function inModelfile(instructions: (path: string) => string): Place["argv"] {
  return (path) => {
    writeFileSync(join(folder.path, "Wrong"), instructions(path.replace(/\n/g, " ")))
    return ["created", "-f", join(folder.path, "Wrong")]
  }
}

const OTHERS: readonly Place[] = [
  { title: "create, in FROM", command: "create", argv: inModelfile((path) => `FROM ${path}\n`) },
  {
    title: "create, in ADAPTER",
    command: "create",
    argv: inModelfile((path) => `FROM ${model}\nADAPTER ${path}\n`),
  },
  { title: "import --from-ollama FILE", command: "import", argv: (path) => ["--from-ollama", path] },
  { title: "keys rm ID", command: "keys", argv: (path) => ["rm", path] },
  { title: "pull of an address", command: "pull", argv: (path) => [`http://127.0.0.1:1${path}`] },
]

/** What no message may have: insides of the program, of the system and of libraries, and what disturbs a terminal. */
const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  "a stack": /^\s+at /m,
  "the name of a class":
    /\b[A-Z]?[a-z]*[A-Z]\w*(Error|Exception)\b|\b(Type|Range|Syntax|URI|Reference)Error\b/,
  "a code of the system": /\b(E[A-Z]{3,}|TAR_[A-Z_]+|ERR_[A-Z_]+|ZSTD_\w+|UNABLE_[A-Z_]+)\b/,
  "the system's or a library's words":
    /no such file or directory|illegal operation|not a directory\b|scandir|verbose: true|Parse error|Was there a typo/,
  "the program's inside": /bunfs|undefined|\[object |NaN|internal error|evaluating/,
  "control characters": /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/,
}

function expectPlain(message: string, about: string): void {
  for (const [what, pattern] of Object.entries(FORBIDDEN)) {
    expect(pattern.test(message) ? `${about} shows ${what}: ${message}` : "").toBe("")
  }
}

async function attempt({ command, argv, environment }: Place, path: string) {
  using home = tempFolder()
  const io = fakeIo({
    input: "",
    environment: {
      XLLM_HOME: home.path,
      XLLM_PORT: "1",
      HF_ENDPOINT: "http://127.0.0.1:1",
      XLLM_OLLAMA_REGISTRY: "http://127.0.0.1:1",
      ...environment?.(path),
    },
  })
  // A server that has begun to listen has nothing against the path.
  const listening = { ...io, write: (text: string) => (io.write(text), endServer(text)) }
  const loaded = await commands[command]?.load()
  const words = command === "serve" ? argv(path).filter((word) => word !== "") : argv(path)
  const timer = Promise.withResolvers<never>()
  const alarm = setTimeout(() => timer.reject(new Error("it hangs")), PATIENCE_MS)
  let failure: string | undefined
  try {
    await Promise.race([loaded?.command.execute(words, listening), timer.promise])
  } catch (error) {
    if (error instanceof Error && error.message === "it hangs") throw error
    failure = failureText(error, io.environment)
  } finally {
    clearTimeout(alarm)
  }
  return { failure, out: io.out, err: io.err }
}

function endServer(text: string): void {
  if (text.startsWith("xLLM is listening on ")) process.emit("SIGTERM", "SIGTERM")
}

const described = await describedCommands()
const places = [...described.flatMap(placesOf), ...OTHERS]

describe("a path that leads to nothing useful is refused in plain words, or does no harm", () => {
  test.each(places.map((place) => [place.title, place] as const))(
    "%s",
    async (_title, place) => {
      using wrong = tempFolder()
      const paths = wrongPaths(wrong.path)
      using _ends = closeEnds(paths.get("fifo") ?? "")
      for (const [kind, path] of paths) {
        const about = `${place.title} with ${kind}`
        logged.length = 0
        const { failure, out, err } = await attempt(place, path)
        for (const told of [out, err, logged.join(""), failure ?? ""]) {
          // The folders of the test have names of random letters.
          expectPlain(told.replaceAll(wrong.path, "").replaceAll(folder.path, ""), about)
        }
        if (failure === undefined) continue
        expect(`${about}: ${out}`).toBe(`${about}: `)
      }
    },
    120_000,
  )
})
