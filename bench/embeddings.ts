/**
 * Times embeddings of servers that are running: `bun bench/embeddings.ts MODEL URL…`, ours first. Each row is the best of
 * some tries, in ms, and its ratio to ours.
 */
import { parseArgs } from "node:util"

const TRIES = 5
const CLIENTS = 16
const TEXTS = 64

const WORDS =
  "the of and to in is that it was for on with as his they be at one have this from by hot word".split(" ")

/** Texts of 20 to 60 words, the same each time. */
const texts = Array.from({ length: TEXTS }, (_, text) =>
  Array.from({ length: 20 + ((text * 17) % 41) }, (_, at) => WORDS[(text * 31 + at * 7) % WORDS.length]).join(
    " ",
  ),
)

/** @throws Error with the server's answer if that is not a success */
async function embed(url: string, model: string, input: string | readonly string[]): Promise<void> {
  const response = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, input, encoding_format: "base64" }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${answer.slice(0, 200)}`)
}

const LOADS: Readonly<Record<string, (url: string, model: string) => Promise<unknown>>> = {
  [`${TEXTS} texts in one call`]: (url, model) => embed(url, model, texts),
  "one text": (url, model) => embed(url, model, texts[0] ?? ""),
  [`${CLIENTS} clients with one text each`]: (url, model) =>
    Promise.all(texts.slice(0, CLIENTS).map((text) => embed(url, model, text))),
}

async function best(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const startedAt = performance.now()
    await work()
    least = Math.min(least, performance.now() - startedAt)
  }
  return least
}

const { positionals } = parseArgs({ allowPositionals: true })
const [model, ...urls] = positionals
if (model === undefined || urls.length === 0) throw new Error("usage: bun bench/embeddings.ts MODEL URL…")
for (const [name, run] of Object.entries(LOADS)) {
  const times: number[] = []
  for (const url of urls) times.push(await best(() => run(url, model)))
  const cells = times.map((ms) => `${ms.toFixed(1)} ms (${(ms / (times[0] ?? ms)).toFixed(2)})`)
  console.log(`${name.padEnd(30)} ${cells.join("   ")}`)
}
