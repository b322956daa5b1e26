import { describe, expect, test } from "bun:test"
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as list } from "../../../src/cli/commands/list"
import { command as show } from "../../../src/cli/commands/show"
import type { Blob } from "../../../src/store/contract"
import { parseModelName } from "../../../src/store/names"
import { fakeIo } from "../../support/fakes/fake-io"
import { writeGguf } from "../../support/files/gguf-writer"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"
import { tempFolder } from "../../support/temp-folder"
import { writeTinyProjector } from "../../support/vision/tiny-projectors"
import { runXllm } from "../../support/xllm"

/** A home with two models; `new` is newer. */
async function home() {
  const folder = tempFolder()
  const models = join(folder.path, "models")
  mkdirSync(models)
  for (const [name, days] of [
    ["old", 3],
    ["new", 2],
  ] as const) {
    const path = join(models, `${name}.gguf`)
    await writeTinyModel(path, { license: "MIT License\n\nCopyright somebody\nmore" })
    const then = new Date(Date.now() - days * 86_400_000 - 60_000)
    utimesSync(path, then, then)
  }
  return {
    ...folder,
    models,
    environment: { XLLM_HOME: folder.path },
    [Symbol.dispose]: folder[Symbol.dispose],
  }
}

describe("list", () => {
  test("is a table of the models, newest first", async () => {
    using place = await home()
    const { out, err, code } = await runXllm(["list"], place)
    expect({ err, code }).toEqual({ err: "", code: 0 })
    const [heading = "", ...rows] = out.trimEnd().split("\n")
    expect(heading.split(/ {4,}/)).toEqual(["NAME", "TYPE", "ID", "SIZE", "MODIFIED"])
    expect(
      rows.map((row) => row.split(/ {4,}/)).map(([name, type, id, , age]) => [name, type, id?.length, age]),
    ).toEqual([
      ["new", "text", 12, "2 days ago"],
      ["old", "text", 12, "3 days ago"],
    ])
  })

  test("takes a prefix, in any case", async () => {
    using place = await home()
    const io = fakeIo(place)
    await list.execute(["NE"], io)
    expect(io.out).toMatch(/^NAME.*\nnew .*\n$/)
  })

  test.each(["qw", "hf:qwen/", "HF.co/Qwen", "huggingface.co/Qwen/Q"])(
    "takes %s for the start of a name on Hugging Face",
    async (prefix) => {
      using models = new ModelsFolder()
      await models.install("Qwen/Qwen3-GGUF:Q4_K_M", { "m.gguf": "1" })
      await models.install("llama3", { "m.gguf": "2" })
      const io = fakeIo({ environment: { XLLM_MODELS_DIR: models.path } })
      await list.execute([prefix], io)
      expect(io.out.split("\n").slice(1)).toEqual([expect.stringMatching(/^Qwen\/Qwen3-GGUF:Q4_K_M /), ""])
    },
  )

  test("shows an installed model with the first digits of what its manifest says", async () => {
    using models = new ModelsFolder()
    const { id } = await models.install("llama3", { "m.gguf": "x".repeat(1_300_000) })
    const io = fakeIo({ environment: { XLLM_MODELS_DIR: models.path } })
    await list.execute([], io)
    expect(io.out).toMatch(
      new RegExp(
        `^NAME +TYPE +ID +SIZE +MODIFIED\nllama3:latest +text +${id.slice(0, 12)} +1\\.3 MB +.* ago\n$`,
      ),
    )
  })

  test("says which models are left out because something is wrong with them", async () => {
    using models = new ModelsFolder()
    await models.install("good", { "m.gguf": "content" })
    const manifests = join(models.path, "manifests/registry.ollama.ai/library")
    mkdirSync(join(manifests, "bad"))
    writeFileSync(join(manifests, "bad/latest.json"), "{}")
    writeTinyTtsModel(join(models.path, "mute"))
    rmSync(join(models.path, "mute/tokens.txt"))
    const io = fakeIo({ environment: { XLLM_MODELS_DIR: models.path } })
    await list.execute(["--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({ models: [{ name: "good:latest" }] })
    expect(io.err).toMatch(/warn +damaged manifest .*bad\/latest\.json/)
    expect(io.err).toMatch(/warn +unusable model .*mute.*tokens\.txt/)
  })

  test("is JSON for programs", async () => {
    using place = await home()
    const io = fakeIo(place)
    await list.execute(["--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      models: [
        { name: "new", kind: "text", path: join(place.models, "new.gguf"), size_bytes: expect.any(Number) },
        { name: "old" },
      ],
    })
  })

  test("looks in another folder where told to", async () => {
    using place = await home()
    const io = fakeIo()
    await list.execute(["--models-dir", place.models], io)
    expect(io.out).toContain("old")
  })

  test("says where it looked when there is nothing", async () => {
    using folder = tempFolder()
    const io = fakeIo({ environment: { XLLM_HOME: folder.path } })
    await list.execute([], io)
    expect(io.out).toBe("NAME    TYPE    ID    SIZE    MODIFIED\n")
    expect(io.err).toBe(
      `no models in ${join(folder.path, "models")} yet: 'xllm pull qwen3:0.6b' downloads one; ` +
        "a GGUF file placed there is one too\n",
    )
  })
})

describe("show of an installed model", () => {
  async function installed(models: ModelsFolder): Promise<{ environment: Record<string, string> }> {
    await models.installTiny("mine", { license: "in the file" })
    const manifest = await models.store.manifest("mine")
    if (manifest === undefined) throw new Error("it was installed")
    await models.store.install(parseModelName("mine"), {
      ...manifest,
      parameters: { temperature: 0.25, stop: ["<end>", '"'], num_ctx: 777 },
      template: { text: "{{ .System }} {{ .Prompt }}", syntax: "go" },
      system: "Be brief.\n\nBe kind.\nBe right.",
      licenses: ["MIT", "Apache"],
      messages: [{ role: "user", content: "hi" }],
      source: { type: "create", reference: "Modelfile" },
      requires: "0.30.0",
    })
    return { environment: { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home } }
  }

  test("tells what it brings along", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    await show.execute(["MINE"], io)
    expect(io.out).toMatch(/\n {4}requires +0\.30\.0\n/)
    expect(io.out).toMatch(
      /\n {2}Parameters\n {4}num_ctx +777\n {4}stop +"<end>"\n {4}stop +"\\""\n {4}temperature +0\.25\n/,
    )
    expect(io.out).toMatch(/\n {2}System\n {4}Be brief\.\n {4}Be kind\.\n {4}\.\.\.\n/)
    expect(io.out).toMatch(/\n {2}License\n {4}MIT\n {4}Apache\n/)
  })

  test("tells its size, where it is and where it is from", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    await show.execute(["mine"], io)
    const { path, sizeBytes } = await models.store.describe("mine")
    expect(io.out).toContain(
      `\n  Storage\n    size      ${Math.floor(sizeBytes / 1000)} KB\n    path      ${path}\n    origin    created from: Modelfile\n`,
    )
  })

  test.each([
    ["--template", "{{ .System }} {{ .Prompt }}\n"],
    ["--system", "Be brief.\n\nBe kind.\nBe right.\n"],
    ["--license", "MIT\n\nApache\n"],
    [
      "--parameters",
      'num_ctx                        777\nstop                           "<end>"\n' +
        'stop                           "\\""\ntemperature                    0.25\n',
    ],
  ])("%s prints nothing else", async (flag, printed) => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    await show.execute(["mine", flag], io)
    expect(io.out).toBe(printed)
  })

  test("--parameters --effective tells where each value comes from", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    await show.execute(["mine", "--parameters", "--effective"], io)
    for (const row of [
      /^ctx +777 +Modelfile$/m,
      /^temperature +0\.25 +Modelfile$/m,
      /^top_k +40 +built in$/m,
      /^dynatemp_range +0 +built in$/m,
      /^stop +"<end>" "\\"" +Modelfile$/m,
      /^num_predict +until the context is full +built in$/m,
      /^seed +random +built in$/m,
    ]) {
      expect(io.out).toMatch(row)
    }
    expect(io.out).toMatch(
      /^kv_cache +128 B per token +cache_type_k and cache_type_v; q8_0 for both would take 68 B \(47 % less\)$/m,
    )
    const { environment } = await installed(models)
    const flagged = fakeIo({ environment: { ...environment, XLLM_CTX: "512" } })
    await show.execute(["mine", "--effective"], flagged)
    expect(flagged.out).toMatch(/^ctx +512 +set by XLLM_CTX$/m)
  })

  test("--effective tells what the file itself recommends", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "m.gguf")
    writeGguf(
      path,
      [
        ["general.architecture", "string", "llama"],
        ["general.sampling.temp", "f32", 0.6],
      ],
      [],
    )
    const io = fakeIo()
    await show.execute([path, "--effective"], io)
    expect(io.out).toMatch(/^temperature +0\.6 +GGUF$/m)
  })

  test("--json tells all of it", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    await show.execute(["mine", "--json", "--tensors"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      name: "mine:latest",
      kind: "text",
      license: "MIT\n\nApache",
      installed: {
        source: { type: "create" },
        parameters: { num_ctx: 777 },
        system: "Be brief.\n\nBe kind.\nBe right.",
        files: [{ name: "tiny.gguf", role: "model", digest: expect.stringMatching(/^sha256:/) }],
      },
      tensors: expect.arrayContaining([{ name: "token_embd.weight", type: "F32", shape: [64, 512] }]),
    })
  })

  test("lists the parts attached to the weights, as text and as JSON", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    const manifest = (await models.store.manifest("mine")) ?? fail()
    const [adapter, draft] = [
      await models.store.blobs.addBytes(new Uint8Array(2500)),
      await models.store.blobs.addBytes(new Uint8Array(1200)),
    ]
    await models.store.install(parseModelName("mine"), {
      ...manifest,
      files: [
        ...manifest.files,
        { name: "style.gguf", role: "adapter", ...adapter, scale: 0.5 },
        { name: "small.gguf", role: "draft", ...draft },
      ],
    })
    await show.execute(["mine"], io)
    expect(io.out).toMatch(
      /\n {2}Parts\n {4}adapter +style\.gguf +2\.5 KB +scale 0\.5\n {4}draft model +small\.gguf +1\.2 KB\n/,
    )
    const json = fakeIo({ environment: io.environment })
    await show.execute(["mine", "--json"], json)
    const pathOf = ({ digest }: Blob) => models.store.blobs.pathOf(digest)
    expect(JSON.parse(json.out).parts).toEqual([
      { role: "adapter", name: "style.gguf", size_bytes: 2500, scale: 0.5, path: pathOf(adapter) },
      { role: "draft", name: "small.gguf", size_bytes: 1200, path: pathOf(draft) },
    ])
  })

  test("shows a projector, which makes the model see", async () => {
    using models = new ModelsFolder()
    const io = fakeIo(await installed(models))
    const path = join(models.home, "mmproj.gguf")
    writeTinyProjector(path, "idefics3", { projection: 64 })
    const manifest = await models.store.manifest("mine")
    const blob = await models.store.blobs.addFile(path)
    await models.store.install(parseModelName("mine"), {
      ...(manifest ?? fail()),
      files: [...(manifest?.files ?? []), { name: "mmproj.gguf", role: "projector", ...blob }],
    })
    await show.execute(["mine"], io)
    expect(io.out).toMatch(/\n {4}vision\n/)
    expect(io.out).toMatch(
      /\n {2}Projector\n {4}architecture +clip\n {4}kind +idefics3\n {4}parameters +134K\n {4}embedding length +64\n {4}dimensions +64\n {4}tokens per picture or slice +4\n/,
    )
    const json = fakeIo({ environment: io.environment })
    await show.execute(["mine", "--json"], json)
    expect(JSON.parse(json.out).projector).toEqual({
      families: ["idefics3"],
      sees: true,
      hears: false,
      parameters: 133_696,
      embedding_length: 64,
      dimensions: 64,
      tokens_per_unit: 4,
    })
  })
})

describe("show of a voice", () => {
  test("tells what it is, as text and as JSON", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "joe")
    writeTinyTtsModel(path)
    const [text, json] = [fakeIo(), fakeIo()]
    await show.execute([path], text)
    await show.execute([path, "--json"], json)
    expect(text.out).toMatch(/^ {2}Model\n {4}family +\S+\n {4}sample rate +16000 Hz\n {4}speakers +4\n/)
    expect(text.out).toMatch(/\n {2}Capabilities\n {4}speech\n\n {2}Files\n {4}model\.onnx +\S+ KB\n/)
    expect(JSON.parse(json.out)).toMatchObject({
      kind: "tts",
      sample_rate: 16_000,
      capabilities: ["speech"],
      files: [{ name: "model.onnx" }, { name: "tokens.txt" }],
    })
    await expect(show.execute([path, "--tensors"], fakeIo())).rejects.toThrow("is not a text model")
    const template = fakeIo()
    await show.execute([path, "--template"], template)
    expect(template.out).toBe("")
  })
})

function fail(): never {
  throw new Error("it was installed")
}

describe("show", () => {
  test.each(["a name", "a path"])("takes %s, and tells what the model is", async (what) => {
    using place = await home()
    const io = fakeIo(place)
    await show.execute([what === "a name" ? "new" : join(place.models, "new.gguf")], io)
    expect(io.out).toMatch(
      /^ {2}Model\n {4}architecture +llama\n {4}parameters +\S+\n {4}context length +4096\n/,
    )
    expect(io.out).toMatch(
      /\n {4}quantization +F32\n {4}embeddings +by the mean of a text.s tokens\n\n {2}Capabilities\n {4}completion\n/,
    )
    expect(io.out).toMatch(/\n {2}License\n {4}MIT License\n {4}Copyright somebody\n {4}\.\.\.\n/)
  })

  test("-v adds every key of the file", async () => {
    using place = await home()
    const [short, long] = [fakeIo(place), fakeIo(place)]
    await show.execute(["new"], short)
    await show.execute(["new", "-v"], long)
    expect(long.out).toMatch(/\n {2}Metadata\n {4}general\.architecture +llama\n/)
    expect(short.out).not.toContain("general.architecture")
  })

  test("--template and --license print nothing else", async () => {
    using place = await home()
    const [template, license] = [fakeIo(place), fakeIo(place)]
    await show.execute(["new", "--template"], template)
    await show.execute(["new", "--license"], license)
    expect(template.out).toContain("<|im_start|>")
    expect(template.out).not.toContain("architecture")
    expect(license.out).toBe("MIT License\n\nCopyright somebody\nmore\n")
  })

  test("--effective tells what it would be loaded with, and who says so", async () => {
    using place = await home()
    const io = fakeIo({ ...place, environment: { ...place.environment, XLLM_CTX: "512" } })
    await show.execute(["new", "--effective"], io)
    expect(io.out).toMatch(/^ctx +512 +set by XLLM_CTX\n/)
    expect(io.out).toMatch(/\nkeep_alive +5m +built in\n/)
  })

  test("tells how much of the context is usable, and why", async () => {
    using place = await home()
    const shownWith = async (settings: Readonly<Record<string, string>>, ...flags: readonly string[]) => {
      const io = fakeIo({ ...place, environment: { ...place.environment, ...settings } })
      await show.execute(["new", ...flags], io)
      return io.out
    }
    const short = { XLLM_MEMORY: "1MiB" }
    expect(await shownWith({ XLLM_MEMORY: "100GiB" })).not.toContain("usable context")
    expect(await shownWith({ XLLM_CTX: "512" })).toMatch(
      /\n {4}usable context +512, limited by the setting 'ctx'\n/,
    )
    expect(await shownWith(short)).toMatch(
      /\n {4}context length +4096\n {4}usable context +512, limited by the 1\.0 MB of system memory that models may use now; --cache-type-k q8_0 and --cache-type-v q8_0 allow more\n/,
    )
    expect(await shownWith(short, "--effective")).toMatch(
      /^ctx +auto \(512, limited by the 1\.0 MB .+\) +built in\n/,
    )
    expect(await shownWith({ XLLM_MEMORY: "100GiB" }, "--effective")).toMatch(
      /^ctx +auto \(4096, as trained\) +built in\n/,
    )
    expect(JSON.parse(await shownWith(short, "--json"))).toMatchObject({
      context_length: 4096,
      usable_context_length: 512,
      context_limited_by: "memory",
    })
  })

  test.each(["--template", "--system", "--parameters"])(
    "%s of a model without one prints nothing",
    async (flag) => {
      using folder = tempFolder()
      const path = join(folder.path, "bare.gguf")
      await writeTinyModel(path, { chatTemplate: null })
      const io = fakeIo({ environment: { XLLM_HOME: folder.path } })
      await show.execute([path, flag], io)
      expect({ out: io.out, err: io.err }).toEqual({ out: "", err: "" })
    },
  )

  test("--json tells all of it", async () => {
    using place = await home()
    const io = fakeIo(place)
    await show.execute(["new", "--json"], io)
    expect(JSON.parse(io.out)).toMatchObject({
      name: "new",
      architecture: "llama",
      context_length: 4096,
      metadata: { "general.architecture": "llama" },
    })
  })

  test("-v adds every tensor, and --tensors nothing else", async () => {
    using place = await home()
    const [all, tensors] = [fakeIo(place), fakeIo(place)]
    await show.execute(["new", "-v"], all)
    await show.execute(["new", "--tensors"], tensors)
    expect(all.out).toMatch(/\n {2}Tensors\n {4}token_embd\.weight +F32 +\[64, 512\]\n/)
    expect(tensors.out).toMatch(/\n {2}Tensors\n {4}token_embd\.weight +F32 +\[64, 512\]\n/)
    expect(tensors.out).not.toContain("Metadata")
  })

  test("an unknown model is named, with the nearest", async () => {
    using place = await home()
    const { err, code } = await runXllm(["show", "odl"], place)
    expect({ err, code }).toEqual({ err: "Error: model 'odl' not found; did you mean 'old'?\n", code: 1 })
  })

  test("a file that is no model is named", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "text.gguf")
    await Bun.write(path, "this is no model, but long enough to look like one")
    const { err, code } = await runXllm(["show", path])
    expect(err).toBe(`Error: ${path}: it is not a GGUF file\n`)
    expect(code).toBe(1)
  })
})
