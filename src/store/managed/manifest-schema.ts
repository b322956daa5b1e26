import Type from "typebox"
import { Compile } from "typebox/compile"
import { InvalidManifest } from "../../errors/store"
import { MODEL_TEXTS } from "../../limits"
import { isInside } from "../fs"
import type { Manifest, ManifestFile } from "./manifest"

/** Slow to load: import this module only where there is a manifest to check. */

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const line = Type.String(MODEL_TEXTS.line)
const lines = Type.Array(line, MODEL_TEXTS.parameters)

const file = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 1024 }),
  role: Type.Enum(["model", "projector", "adapter", "draft", "file"]),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  sizeBytes: count,
  scale: Type.Optional(Type.Number()),
})

/** Fields added by later versions are accepted. */
const schema = Type.Object({
  version: Type.Literal(1),
  kind: Type.Enum(["text", "tts", "asr", "image"]),
  createdAt: Type.String({ maxLength: 64 }),
  source: Type.Optional(
    Type.Object({
      type: Type.Enum(["huggingface", "ollama", "url", "file", "create", "import"]),
      reference: line,
      revision: Type.Optional(line),
    }),
  ),
  files: Type.Array(file, { minItems: 1, maxItems: 20_000 }),
  capabilities: Type.Optional(lines),
  parameters: Type.Record(line, Type.Union([Type.Number(), Type.Boolean(), line, lines]), {
    maxProperties: MODEL_TEXTS.parameters.maxItems,
  }),
  template: Type.Optional(
    Type.Object({ text: Type.String(MODEL_TEXTS.template), syntax: Type.Enum(["jinja", "go"]) }),
  ),
  system: Type.Optional(Type.String(MODEL_TEXTS.system)),
  messages: Type.Optional(
    Type.Array(
      Type.Object({
        role: Type.Enum(["system", "user", "assistant"]),
        content: Type.String(MODEL_TEXTS.message),
      }),
      MODEL_TEXTS.messages,
    ),
  ),
  licenses: Type.Optional(Type.Array(Type.String(MODEL_TEXTS.license), MODEL_TEXTS.licenses)),
  requires: Type.Optional(line),
  renderer: Type.Optional(line),
  parser: Type.Optional(line),
  base: Type.Optional(line),
})

const validator = Compile(schema)

/** @throws InvalidManifest that names the first fault */
export function checkManifest(value: unknown): Manifest {
  if (!validator.Check(value)) {
    const [problem] = validator.Errors(value)
    throw new InvalidManifest(`${problem?.instancePath || "it"} ${problem?.message ?? "is invalid"}`)
  }
  // The schema describes the type, except the digests' prefix, which a pattern checks.
  const manifest = value as unknown as Manifest
  checkFiles(manifest.files)
  if (manifest.kind === "text" && !manifest.files.some(({ role }) => role === "model")) {
    throw new InvalidManifest("none of its files is the model")
  }
  if (Number.isNaN(Date.parse(manifest.createdAt)))
    throw new InvalidManifest(`'${manifest.createdAt}' is not a date`)
  return manifest
}

/** Names that differ only in case are the same on some file systems. */
function checkFiles(files: readonly ManifestFile[]): void {
  const names = new Set<string>()
  const folders = new Set<string>()
  for (const { name } of files) {
    if (!isInside(name)) throw new InvalidManifest(`the file name '${name}' leads elsewhere`)
    const parts = name.toLowerCase().split("/")
    names.add(parts.join("/"))
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join("/"))
  }
  if (names.size < files.length || [...names].some((name) => folders.has(name))) {
    throw new InvalidManifest("two of its files would be in one place")
  }
}
