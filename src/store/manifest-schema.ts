import Type from "typebox"
import { Compile } from "typebox/compile"
import { InvalidManifest } from "../errors"
import { isInside } from "./file-names"
import type { Manifest, ManifestFile } from "./manifest"

/** This module costs time to load: import it only where there is a manifest to check. */

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const texts = Type.Array(Type.String())

const file = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 1024 }),
  role: Type.Enum(["model", "projector", "adapter", "draft", "file"]),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  sizeBytes: count,
  scale: Type.Optional(Type.Number()),
})

/** Fields that later versions add are let through. */
const schema = Type.Object({
  version: Type.Literal(1),
  kind: Type.Enum(["text", "voice", "recognizer", "image"]),
  createdAt: Type.String({ maxLength: 64 }),
  source: Type.Optional(
    Type.Object({
      type: Type.Enum(["huggingface", "ollama", "url", "file", "create", "import"]),
      reference: Type.String(),
      revision: Type.Optional(Type.String()),
    }),
  ),
  files: Type.Array(file, { minItems: 1, maxItems: 20_000 }),
  capabilities: Type.Optional(texts),
  parameters: Type.Record(
    Type.String(),
    Type.Union([Type.Number(), Type.Boolean(), Type.String(), Type.Array(Type.String())]),
  ),
  template: Type.Optional(Type.Object({ text: Type.String(), syntax: Type.Enum(["jinja", "go"]) })),
  system: Type.Optional(Type.String()),
  messages: Type.Optional(
    Type.Array(Type.Object({ role: Type.Enum(["system", "user", "assistant"]), content: Type.String() })),
  ),
  licenses: Type.Optional(texts),
  requires: Type.Optional(Type.String()),
  renderer: Type.Optional(Type.String()),
  parser: Type.Optional(Type.String()),
  base: Type.Optional(Type.String()),
})

const validator = Compile(schema)

/** @throws InvalidManifest that names the first thing that is wrong */
export function checkManifest(value: unknown): Manifest {
  if (!validator.Check(value)) {
    const [problem] = validator.Errors(value)
    throw new InvalidManifest(
      `${problem?.instancePath || "it"} ${problem?.message ?? "is not as it should be"}`,
    )
  }
  // The schema describes the type, but for the digests' prefix, which its pattern does.
  const manifest = value as unknown as Manifest
  checkFiles(manifest.files)
  if (manifest.kind === "text" && !manifest.files.some(({ role }) => role === "model")) {
    throw new InvalidManifest("none of its files is the model")
  }
  if (Number.isNaN(Date.parse(manifest.createdAt)))
    throw new InvalidManifest(`'${manifest.createdAt}' is not a date`)
  return manifest
}

/** Names that differ only in case are one on some file systems. */
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
