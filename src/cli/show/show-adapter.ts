import type { AdapterFile } from "../../store/adapters/adapter-files"
import { aligned, formatAge, formatBytes, printable, table } from "../terminal/output"

/** How many of an adapter's tensors are listed. */
const LISTED = 20

/** The table of adapters in `list`. */
export function adapterTable(adapters: readonly AdapterFile[], now: Date): string {
  const rows = adapters.map(({ name, facts, fault = "", sizeBytes, modifiedAt }) => [
    printable(name),
    facts === undefined ? "unusable" : printable(facts.architecture),
    facts === undefined ? "-" : String(facts.rank),
    formatBytes(sizeBytes),
    formatAge(modifiedAt, now),
    printable(fault),
  ])
  return table(["ADAPTER", "FOR", "RANK", "SIZE", "MODIFIED", ""], rows)
}

/** One adapter in `list --json` and `show --json`. */
export function toAdapterObject({ name, path, sizeBytes, modifiedAt, facts, fault }: AdapterFile) {
  return {
    name,
    path,
    size_bytes: sizeBytes,
    modified_at: modifiedAt.toISOString(),
    ...(facts !== undefined && {
      architecture: facts.architecture,
      rank: facts.rank,
      alpha: facts.alpha,
      tensors: facts.tensors.length,
    }),
    ...(fault !== undefined && { fault }),
  }
}

/** The output of `show` for an adapter. */
export function adapterText(file: AdapterFile, all: boolean): string {
  const { name, path, sizeBytes, facts, fault = "" } = file
  const rows = [
    ["adapter", name],
    ...(facts === undefined
      ? [["fault", fault]]
      : [
          ["for", `models of the architecture ${facts.architecture}`],
          ["rank", String(facts.rank)],
          ["alpha", String(facts.alpha)],
          ["tensors", String(facts.tensors.length)],
        ]),
    ["size", formatBytes(sizeBytes)],
    ["path", path],
  ]
  const tensors = (facts?.tensors ?? []).map(({ name: tensor, a, b }) => [
    tensor,
    `${a.join(" × ")} and ${b.join(" × ")}`,
  ])
  const shown = all ? tensors : tensors.slice(0, LISTED)
  const more = tensors.length > shown.length ? `    ... and ${tensors.length - shown.length} more\n` : ""
  const changes = shown.length === 0 ? "" : `\nchanges\n${aligned(printed(shown), 4)}${more}`
  return aligned(printed(rows), 4) + changes
}

function printed(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return rows.map((row) => row.map((cell) => printable(cell)))
}
