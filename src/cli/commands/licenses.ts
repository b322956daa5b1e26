import { version } from "../../version"
import { defineCommand } from "../args/command"
import { switchFlag } from "../args/flags"
import { table, toJson } from "../terminal/output"
import { LICENSED_PARTS, type LicensedPart } from "../show/licensed-parts"

const SPEECH_NOTE = `The speech engine contains espeak-ng, which is under the GPL, version 3 or later. It runs in processes of its own.
xLLM's own source is under the MIT license; 'npm run build -- --flavour core' makes an executable without speech.
`

export const command = defineCommand({
  name: "licenses",
  summary: "Show what this program contains, and under which licenses",
  words: "",
  minimumWords: 0,
  maximumWords: 0,
  details: "Names every library inside this executable, with its license and where its source is.",
  examples: [
    { line: "xllm licenses", does: "a table" },
    { line: "xllm licenses --json", does: "the table as JSON" },
  ],
  flags: { json: switchFlag("print JSON") },
  async run({ flags, io }) {
    const parts = await carriedParts()
    if (flags.json)
      return io.write(toJson({ name: "xllm", version, license: "MIT", parts: parts.map(toItem) }))
    io.write(`xLLM ${version}: MIT\n\n${partsTable(parts)}`)
    if (parts.some(({ component }) => component === "speech")) io.write(`\n${SPEECH_NOTE}`)
  },
})

/** In development nothing is embedded, so all parts are listed. */
async function carriedParts(): Promise<readonly LicensedPart[]> {
  const { components } = await import("../../native/embedded")
  if (components.length === 0) return LICENSED_PARTS
  const names = new Set<string>(components.map(({ name }) => name))
  return LICENSED_PARTS.filter(({ component }) => component === undefined || names.has(component))
}

function partsTable(parts: readonly LicensedPart[]): string {
  const rows = parts.flatMap(({ name, license, source, contains = [] }) => [
    [name, license, source],
    ...contains.map((inner) => [`  with ${inner.name}`, inner.license, ""]),
  ])
  return table(["PART", "LICENSE", "SOURCE"], rows)
}

function toItem({ name, license, source, contains = [] }: LicensedPart) {
  return { name, license, source, contains }
}
