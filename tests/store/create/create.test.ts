import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { XllmError } from "../../../src/errors/base"
import { InvalidModelfile, ModelNotFound, UnsupportedModelfile } from "../../../src/errors/model"
import { Cancelled } from "../../../src/errors/request"
import { parseModelfile } from "../../../src/formats/modelfile/parse"
import { type CreateEvent, createModel } from "../../../src/store/create/create"
import type { Manifest } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { writeGguf } from "../../support/files/gguf-writer"
import { manifestOf, ModelsFolder } from "../../support/files/models-folder"
import { mulberry } from "../../support/files/mulberry"
import { writeSafetensors } from "../../support/files/safetensors-writer"
import { writeTinyAdapter } from "../../support/files/tiny-adapter"
import { writeTinyModel } from "../../support/files/tiny-model"
import { writeTinyProjector } from "../../support/vision/tiny-projectors"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const models = new ModelsFolder()
/** Where the Modelfiles are. */
const folder = join(models.home, "work")

beforeAll(async () => {
  mkdirSync(folder)
  await writeTinyModel(join(folder, "model.gguf"), { layers: 1 })
  await writeTinyModel(join(folder, "other model.gguf"), { layers: 1, seed: 2 })
  writeTinyAdapter(join(folder, "lora.gguf"), { layers: 1 })
  writeTinyProjector(join(folder, "mmproj.gguf"), "idefics3", { projection: 64 })
  writeTinyProjector(join(folder, "wide.gguf"), "idefics3", { projection: 96 })
  writeTinyProjector(join(folder, "gemma.gguf"), "gemma3", { projection: 64 })
})
afterAll(() => models[Symbol.dispose]())

interface Options {
  readonly pull?: (reference: string) => Promise<string>
  readonly events?: CreateEvent[]
}

async function create(name: string, text: string, { pull, events = [] }: Options = {}): Promise<Manifest> {
  await createModel({
    store: models.store,
    name: parseModelName(name),
    modelfile: parseModelfile(text),
    file: "Modelfile",
    folder,
    ...(pull !== undefined && { pull }),
    report: (event) => void events.push(event),
  })
  const manifest = await models.store.manifest(name)
  if (manifest === undefined) throw new Error("nothing was installed")
  return manifest
}

async function failure(text: string, options?: Options): Promise<XllmError> {
  const before = await models.names()
  try {
    await create("refused", text, options)
  } catch (error) {
    expect(await models.names()).toEqual(before)
    if (error instanceof XllmError) return error
    throw error
  }
  throw new Error("it was not refused")
}

function namesOf({ files }: Manifest): readonly (readonly [role: string, name: string])[] {
  return files.map(({ role, name }) => [role, name] as const)
}

describe("a model out of a Modelfile", () => {
  test("has everything that the Modelfile says", async () => {
    const manifest = await create(
      "whole",
      `FROM ./model.gguf
ADAPTER lora.gguf
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM first
SYSTEM Be brief.
PARAMETER temperature 0.1
PARAMETER temperature 0.7
PARAMETER stop a
PARAMETER stop b
PARAMETER stop a
MESSAGE user 2+2?
MESSAGE assistant 4
LICENSE MIT
LICENSE """Apache
2"""
REQUIRES 0.14.0`,
    )
    expect(manifest).toMatchObject({
      kind: "text",
      parameters: { temperature: 0.7, stop: ["a", "b"] },
      template: { text: "{{ .System }}\n{{ .Prompt }}", syntax: "go" },
      system: "Be brief.",
      messages: [
        { role: "user", content: "2+2?" },
        { role: "assistant", content: "4" },
      ],
      licenses: ["MIT", "Apache\n2"],
      requires: "0.14.0",
      source: { type: "create", reference: join(folder, "model.gguf") },
    })
    expect(namesOf(manifest)).toEqual([
      ["model", "model.gguf"],
      ["adapter", "lora.gguf"],
    ])
    const { digest, sizeBytes } = manifest.files[1]!
    expect(await models.store.resolve("whole")).toMatchObject({
      defaults: { system: "Be brief.", stop: ["a", "b"] },
      parts: [
        {
          role: "adapter",
          name: "lora.gguf",
          path: models.store.blobs.pathOf(digest),
          sizeBytes,
          digest,
          scale: 1,
        },
      ],
    })
  })

  test("tells what goes on in Ollama's words", async () => {
    const events: CreateEvent[] = []
    const { files } = await create("told", "FROM ./other model.gguf", { events })
    const statuses = () => events.flatMap((event) => (event.type === "status" ? [event.status] : []))
    expect(statuses()).toEqual([
      "gathering model components",
      `creating new layer ${files[0]?.digest}`,
      "writing manifest",
      "success",
    ])
    events.length = 0
    await create("told-again", "FROM told\nPARAMETER seed 1", { events })
    expect(statuses()).toEqual([
      "gathering model components",
      `using existing layer ${files[0]?.digest}`,
      "writing manifest",
      "success",
    ])
  })

  test("keeps a draft model, and prints it in the Modelfile", async () => {
    const manifest = await create(
      "drafted",
      "FROM model.gguf\nDRAFT ./other model.gguf\nPARAMETER draft_num_predict 8",
    )
    expect(namesOf(manifest)).toEqual([
      ["model", "model.gguf"],
      ["draft", "other model.gguf"],
    ])
    const { digest, sizeBytes } = manifest.files[1]!
    const path = models.store.blobs.pathOf(digest)
    expect(await models.store.resolve("drafted")).toMatchObject({
      parts: [{ role: "draft", name: "other model.gguf", path, sizeBytes }],
    })
    const again = await create("again", "FROM drafted\nSYSTEM x")
    expect(namesOf(again)).toEqual(namesOf(manifest))
  })

  test("warns of what does nothing", async () => {
    const events: CreateEvent[] = []
    const text =
      "FROM ./model.gguf\nFROM mmproj.gguf\nPARAMETER num_keep 24\nPARAMETER mirostat 1\nPARAMETER main_gpu 0"
    const manifest = await create("warned", text, { events })
    expect(events.flatMap((event) => (event.type === "warning" ? [event.message] : []))).toEqual([
      "Modelfile:4: the parameter 'mirostat' is deprecated and has no effect",
      "Modelfile:3: the parameter 'num_keep' has no effect: a prompt that is too long is refused, not truncated",
      "Modelfile:5: the parameter 'main_gpu' has no effect: --device and models.NAME.devices select the devices",
    ])
    expect(manifest.parameters).toEqual({ num_keep: 24, main_gpu: 0 })
    expect(namesOf(manifest)).toEqual([
      ["model", "model.gguf"],
      ["projector", "mmproj.gguf"],
    ])
  })

  test("is not made where somebody stops it while its files are read", async () => {
    const stop = new AbortController()
    const made = createModel({
      store: models.store,
      name: parseModelName("stopped"),
      modelfile: parseModelfile("FROM model.gguf"),
      file: "Modelfile",
      folder,
      signal: stop.signal,
      report: () => stop.abort(),
    })
    await expect(made).rejects.toThrow(Cancelled)
    expect(await models.names()).not.toContain("stopped:latest")
  })

  test("that is stopped once its files are there takes them away, but for those of others", async () => {
    using own = new ModelsFolder()
    const weights = await own.store.blobs.addFile(join(folder, "model.gguf"))
    await own.store.install(
      parseModelName("kept"),
      manifestOf([{ name: "m.gguf", role: "model", ...weights }]),
    )
    const before = own.files()
    writeTinyModel(join(folder, "fresh.gguf"), { layers: 1, seed: 77 })
    for (const from of ["fresh.gguf", "model.gguf"]) {
      const stop = new AbortController()
      const made = createModel({
        store: own.store,
        name: parseModelName("stopped"),
        modelfile: parseModelfile(`FROM ${from}`),
        file: "Modelfile",
        folder,
        signal: stop.signal,
        report: (event) => {
          if (event.type === "status" && event.status.includes(" layer ")) stop.abort()
        },
      })
      await expect(made).rejects.toThrow(Cancelled)
      expect(own.files()).toEqual(before)
    }
  })

  test("replaces the one of that name", async () => {
    await create("replaced", "FROM ./model.gguf\nSYSTEM one")
    expect(await create("replaced", "FROM ./model.gguf\nSYSTEM two")).toMatchObject({ system: "two" })
    expect(await create("replaced", "FROM replaced\nPARAMETER seed 1")).toMatchObject({
      system: "two",
      parameters: { seed: 1 },
    })
  })
})

describe("a base", () => {
  test("gives what the Modelfile does not say", async () => {
    await create(
      "base",
      `FROM ./model.gguf
TEMPLATE [{{ .Prompt }}]
SYSTEM Be brief.
MESSAGE user hi
PARAMETER temperature 0.5
PARAMETER stop a
PARAMETER seed 1
LICENSE one
REQUIRES 1.0.0
ADAPTER lora.gguf`,
    )
    const base = await models.store.manifest("base")
    const manifest = await create(
      "child",
      "FROM base\nPARAMETER stop b\nPARAMETER seed 2\nLICENSE one\nLICENSE two",
    )
    expect(manifest).toMatchObject({
      files: base?.files ?? [],
      template: { text: "[{{ .Prompt }}]", syntax: "go" },
      system: "Be brief.",
      messages: [{ role: "user", content: "hi" }],
      parameters: { temperature: 0.5, stop: ["b"], seed: 2 },
      licenses: ["one", "two"],
      requires: "1.0.0",
      base: "base:latest",
    })
  })

  test("loses what the Modelfile replaces, and what it empties", async () => {
    await create(
      "full",
      "FROM ./model.gguf\nTEMPLATE [{{ .Prompt }}]\nSYSTEM a\nMESSAGE user b\nADAPTER lora.gguf",
    )
    writeTinyAdapter(join(folder, "lora2.gguf"), { layers: 1, seed: 5 })
    const changed = await create("changed", "FROM full\nMESSAGE assistant c\nSYSTEM d\nADAPTER lora2.gguf")
    expect(changed).toMatchObject({ system: "d", messages: [{ role: "assistant", content: "c" }] })
    expect(namesOf(changed)).toEqual([
      ["model", "model.gguf"],
      ["adapter", "lora2.gguf"],
    ])
    const emptied = await create("emptied", 'FROM full\nTEMPLATE ""\nSYSTEM ""')
    expect(emptied.template).toBeUndefined()
    expect(emptied.system).toBeUndefined()
  })

  test("keeps its renderer and parser, unless the Modelfile has a template", async () => {
    await models.install("rendered", { "m.gguf": "x" }, { renderer: "r", parser: "p" })
    expect(await create("kept", "FROM rendered")).toMatchObject({ renderer: "r", parser: "p" })
    const own = await create("own", "FROM rendered\nTEMPLATE {{ .Prompt }}")
    expect(own.renderer).toBeUndefined()
    expect(own.parser).toBeUndefined()
  })

  test("may be a file in the models directory, which is taken among the blobs", async () => {
    await writeTinyModel(join(models.path, "dropped.gguf"), { layers: 1, seed: 3 })
    expect(namesOf(await create("from-dropped", "FROM dropped"))).toEqual([["model", "dropped.gguf"]])
  })

  test("that is not there is pulled", async () => {
    const asked: string[] = []
    const pull = async (name: string) => {
      asked.push(name)
      return (await models.install("pulled", { "m.gguf": "pulled" })).name
    }
    expect(await create("from-pulled", "FROM far/away:q4", { pull })).toMatchObject({ base: "pulled:latest" })
    await create("from-address", "FROM https://example.com/m.gguf", { pull })
    expect(asked).toEqual(["far/away:q4", "https://example.com/m.gguf"])
    await failure("FROM far/away\nDRAFT x", { pull })
    await failure("FROM far/away\nADAPTER none.gguf", { pull })
    expect(asked).toHaveLength(2)
  })

  test("whose download fails is no fault of the Modelfile", async () => {
    const pull = () => Promise.reject(new Cancelled())
    expect(await failure("FROM far/away", { pull })).toBeInstanceOf(Cancelled)
  })

  test("that cannot be had is a fault", async () => {
    expect((await failure("FROM nowhere")).message).toContain(
      "Modelfile:1: FROM nowhere: model 'nowhere' not found",
    )
    const pull = (name: string) => Promise.reject(new ModelNotFound(name, " at all"))
    expect((await failure("FROM nowhere", { pull })).message).toContain("model 'nowhere' not found at all")
  })
})

describe("FROM finds", () => {
  test.each(["model.gguf", "./model.gguf", "../work/model.gguf"])("the path %s", async (path) => {
    expect(namesOf(await create("by-path", `FROM ${path}`))).toEqual([["model", "model.gguf"]])
  })

  test("an absolute path, with blanks in it, in quotes or not", async () => {
    const path = join(folder, "other model.gguf")
    for (const written of [path, `"${path}"`])
      expect(namesOf(await create("absolute", `FROM ${written}`))).toEqual([["model", "other model.gguf"]])
  })

  test("all parts of a split model, whichever is named, once", async () => {
    for (const part of [1, 2])
      writeGguf(
        join(folder, `split-0000${part}-of-00002.gguf`),
        [
          ["general.architecture", "string", "llama"],
          ["split.no", "u32", part - 1],
        ],
        [],
      )
    const parts = [
      ["model", "split-00001-of-00002.gguf"],
      ["model", "split-00002-of-00002.gguf"],
    ] as const
    expect(namesOf(await create("split", "FROM split-00002-of-00002.gguf"))).toEqual(parts)
    const both = "FROM split-00001-of-00002.gguf\nFROM split-00002-of-00002.gguf"
    expect(namesOf(await create("split", both))).toEqual(parts)
  })

  test("the model in a folder, with its projector", async () => {
    const path = join(folder, "repository")
    mkdirSync(path)
    await writeTinyModel(join(path, "weights.gguf"), { layers: 1 })
    for (const name of ["a-mmproj-q8_0.gguf", "a-mmproj-f16.gguf", "b-mmproj-bf16.gguf"])
      writeTinyProjector(join(path, name), "idefics3", { projection: 64 })
    writeFileSync(join(path, "README.md"), "about it")
    expect(namesOf(await create("in-folder", "FROM repository"))).toEqual([
      ["model", "weights.gguf"],
      ["projector", "a-mmproj-f16.gguf"],
    ])
  })
})

describe("a text-to-speech model", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "voice"))
    writeTinyTtsModel(join(folder, "voice"))
  })

  test("is made from its folder, and from the model that was made", async () => {
    const voice = await create("voice", "FROM voice\nLICENSE CC0\nPARAMETER keep_alive 1h")
    expect(voice).toMatchObject({ kind: "tts", licenses: ["CC0"], parameters: { keep_alive: "1h" } })
    expect(namesOf(voice).map(([role]) => role)).toEqual(voice.files.map(() => "file"))
    expect(await create("voice2", "FROM voice:latest\nPARAMETER num_thread 1")).toMatchObject({
      kind: "tts",
      files: voice.files,
      parameters: { keep_alive: "1h", num_thread: 1 },
    })
  })

  test("has no use for what is said of texts", async () => {
    const error = await failure("FROM voice\nSYSTEM hi\nPARAMETER temperature 1\nTEMPLATE {{ .Prompt }}")
    expect(error.message.split("\n")).toEqual([
      "Modelfile:2: SYSTEM has no effect on a text-to-speech model",
      "Modelfile:3: the parameter 'temperature' has no effect on a text-to-speech model",
      "Modelfile:4: TEMPLATE has no effect on a text-to-speech model",
    ])
  })
})

describe("an image model", () => {
  const UNET = {
    "input_blocks.0.0.weight": [320, 4, 3, 3],
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": [640, 768],
    "middle_block.1.norm.weight": [1280],
  }
  const VAE = { "decoder.conv_in.weight": [512, 4, 3, 3] }
  const CLIP = { "text_model.embeddings.token_embedding.weight": [49408, 768] }

  beforeAll(() => {
    for (const [part, shapes] of Object.entries({ unet: UNET, vae: VAE, clip: CLIP })) {
      mkdirSync(join(folder, "painter", part), { recursive: true })
      const tensors = Object.entries(shapes).map(([name, shape]) => ({ name, shape }))
      writeSafetensors(
        join(folder, "painter", part, part === "clip" ? "clip.safetensors" : "model.safetensors"),
        tensors,
      )
    }
  })

  test("is made from its parts, each with a FROM, or all in one folder", async () => {
    const parts = ["unet/model.safetensors", "vae/model.safetensors", "clip/clip.safetensors"]
    const manifest = await create("painter", parts.map((part) => `FROM painter/${part}`).join("\n"))
    expect(manifest.kind).toBe("image")
    expect(namesOf(manifest)).toEqual([
      ["file", "unet/model.safetensors"],
      ["file", "vae/model.safetensors"],
      ["file", "clip.safetensors"],
    ])
    expect((await models.store.describe("painter")).kind).toBe("image")
    expect((await create("painter2", "FROM painter/")).kind).toBe("image")
  })

  test("is refused where a part is missing", async () => {
    const error = await failure("FROM painter/unet/model.safetensors\nFROM painter/clip/clip.safetensors")
    expect(error.message).toMatch(/^Modelfile:1: FROM painter.*: .*(VAE|vae)/)
  })
})

describe("is refused:", () => {
  beforeAll(async () => {
    for (const name of ["two", "empty", "linked", "llm"]) mkdirSync(join(folder, name))
    for (const name of ["a", "b"]) await writeTinyModel(join(folder, "two", `${name}.gguf`), { layers: 1 })
    symlinkSync(join(folder, "model.gguf"), join(folder, "linked/model.gguf"))
    writeFileSync(join(folder, "llm/model.safetensors"), "weights")
    writeFileSync(join(folder, "llm/config.json"), "{}")
    writeFileSync(join(folder, "text.gguf"), "not a model")
    Bun.spawnSync(["mkfifo", join(folder, "fifo")])
    writeFileSync(
      join(folder, "short.gguf"),
      (await Bun.file(join(folder, "model.gguf")).bytes()).subarray(0, 90_000),
    )
    writeTinyAdapter(join(folder, "foreign.gguf"), { architecture: "qwen2" })
    writeGguf(join(folder, "lone-00001-of-00002.gguf"), [["general.architecture", "string", "llama"]], [])
  })

  test.each<[text: string, fault: string]>([
    ["FROM model.gguf\nFROM wide.gguf", "Modelfile:2: FROM "],
    ["FROM model.gguf\nFROM wide.gguf", "it makes embeddings of 96 numbers, and those of the model have 64"],
    [
      "FROM model.gguf\nFROM gemma.gguf",
      "it is of the kind 'gemma3', which is not for models of the architecture 'llama'",
    ],
    ["FROM model.gguf\nFROM mmproj.gguf\nFROM gemma.gguf", "Modelfile:3: FROM "],
    ["FROM model.gguf\nFROM mmproj.gguf\nFROM gemma.gguf", "a second projector"],
    ["FROM ./missing.gguf", "Modelfile:1: FROM ./missing.gguf: cannot read /"],
    ["FROM ~/missing", "Modelfile:1: FROM ~/missing: cannot read /"],
    ["FROM ./text.gguf/x", "/text.gguf/x: a part of the path is a file, not a folder"],
    ["FROM ./fifo", "Modelfile:1: FROM ./fifo: it is a pipe or a device, not a file"],
    ["FROM model.gguf\nADAPTER fifo", "Modelfile:2: ADAPTER fifo: it is a pipe or a device, not a file"],
    ["FROM text.gguf", "Modelfile:1: FROM text.gguf: it is not a GGUF file"],
    ["FROM short.gguf", "Modelfile:1: FROM short.gguf: the file is cut short"],
    ["FROM lone-00001-of-00002.gguf", "part 2 of 2 (lone-00002-of-00002.gguf) is missing"],
    ["FROM lora.gguf", "it is an adapter; write ADAPTER for it, and FROM for its base model"],
    ["FROM mmproj.gguf", "Modelfile:1: FROM names only a projector"],
    ["FROM model.gguf\nFROM other model.gguf", "Modelfile:2: a second model"],
    ["FROM two", "FROM two: the folder has 2 models; name one of a.gguf, b.gguf"],
    ["FROM empty", "FROM empty: no model found in the folder; it is empty"],
    ["FROM linked", "'model.gguf' is a link that leads out of the folder"],
    ["FROM a b", "FROM a b: "],
    ["FROM https://example.com/x", "it is a URL"],
    ["FROM model.gguf\nDRAFT none.gguf", "Modelfile:2: DRAFT none.gguf: cannot read /"],
    ["FROM model.gguf\nDRAFT lora.gguf", "Modelfile:2: DRAFT lora.gguf: it is not a text model"],
    ["FROM model.gguf\nDRAFT no-such-model", "Modelfile:2: DRAFT no-such-model: "],
    ["FROM model.gguf\nADAPTER none.gguf", "Modelfile:2: ADAPTER none.gguf: cannot read /"],
    ["FROM model.gguf\nADAPTER model.gguf", "it is a model GGUF, not a LoRA adapter"],
    ["FROM model.gguf\nADAPTER mmproj.gguf", "it is a mmproj GGUF, not a LoRA adapter"],
    ["FROM model.gguf\nADAPTER text.gguf", "ADAPTER text.gguf: it is not a GGUF file"],
    [
      "FROM model.gguf\nADAPTER foreign.gguf",
      "it is for models of the architecture 'qwen2', and this is a 'llama'",
    ],
    [
      "FROM model.gguf\nTEMPLATE {{ if .System }}",
      "Modelfile:2: TEMPLATE: a block is never closed by {{end}}",
    ],
    ['FROM model.gguf\n\nTEMPLATE """a\nb{{ .Foo }}"""', "Modelfile:4: TEMPLATE: unknown field '.Foo'"],
    ["FROM model.gguf\nTEMPLATE {% if %}", "Modelfile:2: TEMPLATE: "],
    [
      "FROM model.gguf\nADAPTER llm",
      "Modelfile:2: ADAPTER llm: it is not an adapter: it has no adapter_config.json",
    ],
    ["FROM llm", "Modelfile:1: FROM llm: it has no 'architectures', which say what the model is"],
  ])("%j", async (text, fault) => {
    const error = await failure(text)
    expect(error).toBeInstanceOf(InvalidModelfile)
    expect(error.message).toContain(fault)
  })

  test.each<[text: string, fault: string]>([
    ["FROM model.gguf\nRENDERER qwen3", "Modelfile:2: RENDERER is not supported yet"],
    ["FROM model.gguf\nPARSER qwen3", "Modelfile:2: PARSER is not supported yet"],
    ["FROM llm/model.safetensors", "name the folder of the model"],
  ])("%j, as not supported yet", async (text, fault) => {
    const error = await failure(text)
    expect(error).toBeInstanceOf(UnsupportedModelfile)
    expect(error.code).toBe("unsupported")
    expect(error.message).toContain(fault)
  })

  test("everything at once", async () => {
    const error = await failure(
      "FROM gone.gguf\nDRAFT x\nADAPTER gone.gguf\nTEMPLATE {{ end }}\nFROM text.gguf",
    )
    expect(error.message.split("\n").map((line) => line.slice(0, 12))).toEqual(
      [1, 2, 3, 4, 5].map((line) => `Modelfile:${line}:`),
    )
  })
})

test("a thousand damaged Modelfiles make models or are refused, and touch nothing outside of the models directory", async () => {
  const text = `# a model
FROM ./model.gguf
ADAPTER ./lora.gguf
TEMPLATE """{{ if .System }}{{ .System }}
{{ end }}{{ .Prompt }}"""
SYSTEM "Be brief."
PARAMETER temperature 0.5
PARAMETER stop "User:"
MESSAGE user hi
LICENSE MIT
`
  const random = mulberry(3)
  const pick = (count: number): number => Math.floor(random() * count)
  const pieces = ["../", "/", "~", "\0", '"', '"""', "\n", "{{", "}}", "FROM ", "ADAPTER ../", "é"]
  const outside = () =>
    readdirSync(models.home, { recursive: true })
      .map(String)
      .filter((path) => !path.startsWith("models/"))
  const before = outside()
  let made = 0
  for (let round = 0; round < 1000; round++) {
    let damaged = text
    for (let change = 0; change <= pick(3); change++) {
      const at = pick(damaged.length)
      damaged = damaged.slice(0, at) + (pieces[pick(pieces.length)] ?? "") + damaged.slice(at + pick(6))
    }
    try {
      await create("mutant", damaged)
      made++
    } catch (error) {
      if (!(error instanceof XllmError)) throw error
    }
  }
  expect(outside()).toEqual(before)
  expect(made).toBeGreaterThan(50)
})
