/** What the name of a repository says about a model. */
export interface NameParts {
  readonly name: string
  readonly organization?: string
  readonly basename?: string
  readonly finetune?: string
  readonly version?: string
  readonly sizeLabel?: string
}

type Role = "basename" | "size" | "finetune" | "version" | "type"

interface Part {
  text: string
  readonly roles: Set<Role>
}

const VERSION = /^(?:v|iter)?\d+(?:[.]\d+)*$/i
const QUANT_TYPE = /^(?:i?q\d(?:_\w)*|b?fp?(?:16|32))$/i
const SIZE = /^(?:(?:[A]|\d+[x])?\d+(?:[._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)$/i
const FINETUNE = /^(?:chat|instruct|vision|lora)$/i

/** `id`: such as `Qwen/Qwen3-4B-Instruct-2507`, or the last part of it. `parameters`: of the model itself; 0: unknown. */
export function namePartsOf(id: string, parameters: number): NameParts {
  if (id.includes(" ")) return { name: id }
  const slash = id.indexOf("/")
  const owner = slash < 0 ? undefined : id.slice(0, slash)
  const name = slash < 0 ? id : id.slice(slash + 1)
  const parts = name
    .split("-")
    .filter((text) => text !== "")
    .map((text): Part => ({ text, roles: new Set() }))
  for (const [index, part] of parts.entries()) classify(part, index, parameters)
  // Words are sizes only where no number is one.
  const sizes = parts.filter(({ roles }) => roles.has("size"))
  if (sizes.some(({ text }) => /\d/.test(text)))
    for (const { text, roles } of sizes) if (/^[a-z]+$/i.test(text)) roles.delete("size")
  findBasename(parts)
  const joined = (role: Role) =>
    [...new Set(parts.filter(({ roles }) => roles.has(role)).map(({ text }) => text))].join("-") || undefined
  const version =
    parts
      .filter(({ roles }) => roles.has("version") && !roles.has("basename"))
      .map(({ text }) => text)
      .join("-") || undefined
  const [sizeLabel, finetune] = [joined("size"), joined("finetune")]
  const isPlain = sizeLabel === undefined && finetune === undefined && version === undefined
  const basename = isPlain ? undefined : joined("basename")
  return {
    name,
    ...(owner !== undefined && !owner.startsWith(".") && { organization: owner }),
    ...(basename !== undefined && { basename }),
    ...(finetune !== undefined && { finetune }),
    ...(version !== undefined && { version }),
    ...(sizeLabel !== undefined && { sizeLabel }),
  }
}

function classify(part: Part, index: number, parameters: number): void {
  if (VERSION.test(part.text)) part.roles.add("version")
  else if (QUANT_TYPE.test(part.text)) {
    part.roles.add("type")
    part.text = part.text.toUpperCase()
  } else if (index > 0 && SIZE.test(part.text)) classifySize(part, parameters)
  else if (index > 0 && FINETUNE.test(part.text)) part.roles.add("finetune")
}

function classifySize(part: Part, parameters: number): void {
  let text = part.text.replace("_", ".")
  // As in bloom-7b1.
  if (/\d$/.test(text)) text = `${text.slice(0, -2)}.${text.at(-1) ?? ""}${text.at(-2) ?? ""}`
  if (/\d[kmbt]$/.test(text)) text = text.slice(0, -1) + (text.at(-1) ?? "").toUpperCase()
  const size = Number(text.slice(0, -1)) * 1000 ** " KMBT".indexOf(text.at(-1) ?? "")
  // A context's length, such as 128k, looks like a size.
  if (
    parameters > 0 &&
    Number.isFinite(size) &&
    Math.abs(size - parameters) > Math.floor((7 * parameters) / 8)
  ) {
    part.roles.add("finetune")
    text = text.slice(0, -1) + (text.at(-1) ?? "").toLowerCase()
  } else part.roles.add("size")
  part.text = text
}

/** The words at the start, without a version at their end. */
function findBasename(parts: readonly Part[]): void {
  let isAtStart = true
  for (const { text, roles } of parts) {
    if (isAtStart && ((roles.size === 0 && /^\p{L}/u.test(text)) || roles.has("version")))
      roles.add("basename")
    else {
      isAtStart = false
      if (roles.size === 0) roles.add("finetune")
    }
  }
  for (const { roles } of [...parts].reverse()) {
    if (!roles.has("basename") || roles.size < 2) break
    roles.delete("basename")
  }
}

/** `qwen-coder` → `Qwen Coder`; versions and acronyms stay. */
export function titleOf(id: string): string {
  return id
    .trim()
    .replaceAll("-", " ")
    .split(/\s+/)
    .map((word) =>
      word === word.toLowerCase() && word !== word.toUpperCase() && !/^(?:v\d+(?:\.\d+)*|\d.*)$/.test(word)
        ? titleCase(word)
        : word,
    )
    .join(" ")
}

/** The first letter of each run of letters is a capital. */
function titleCase(word: string): string {
  return word.replaceAll(/\p{L}+/gu, (run) => run.charAt(0).toUpperCase() + run.slice(1).toLowerCase())
}
