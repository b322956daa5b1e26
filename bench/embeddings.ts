/**
 * Times embeddings of servers that are running: `bun bench/embeddings.ts MODEL URL…`, ours first. Each row is the best of
 * some tries, in ms, and its ratio to ours. Fails where two servers' vectors differ. `--make FILE` writes a model for it:
 * random, of MiniLM's size.
 */
import { parseArgs } from "node:util"
import { MINILM_SIZE, writeTinyEmbedder } from "../tests/support/files/tiny-embedder"

const TRIES = 10
/** Before a server's turn, so that it does not count the work of the one before as another program's; ms. */
const PAUSE_MS = 600
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

/** The least cosine of two servers' vectors of one text: both compute the same, in another order. */
const LEAST_COSINE = 0.9999

/** The vectors of texts. @throws Error with the server's answer if that is not a success */
async function embed(
  url: string,
  model: string,
  input: string | readonly string[],
): Promise<readonly Float32Array[]> {
  const response = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, input, encoding_format: "base64" }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${answer.slice(0, 200)}`)
  const { data } = JSON.parse(answer) as { readonly data: readonly { readonly embedding: string }[] }
  return data.map(({ embedding }) => new Float32Array(Uint8Array.fromBase64(embedding).buffer))
}

function cosine(one: Float32Array, other: Float32Array): number {
  const product = one.reduce((sum, value, index) => sum + value * (other[index] ?? Number.NaN), 0)
  return product / (Math.hypot(...one) * Math.hypot(...other))
}

/** @throws Error where a server's vectors are not the first one's */
async function compare(model: string, [first = "", ...others]: readonly string[]): Promise<void> {
  const wanted = await embed(first, model, texts)
  for (const url of others) {
    const found = await embed(url, model, texts)
    const cosines = wanted.map((vector, index) => cosine(vector, found[index] ?? new Float32Array()))
    const least = Math.min(...cosines)
    console.log(`least cosine of ${texts.length} texts with ${url}: ${least.toFixed(6)}`)
    if (!(least >= LEAST_COSINE)) throw new Error(`the vectors of ${url} are others than those of ${first}`)
  }
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

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { make: { type: "string" } },
})
const [model, ...urls] = positionals
if (values.make !== undefined) writeTinyEmbedder(values.make, { ...MINILM_SIZE, name: "minilm-shaped" })
else if (model === undefined || urls.length === 0)
  throw new Error("usage: bun bench/embeddings.ts MODEL URL… | --make FILE")
else await time(model, urls)

async function time(model: string, urls: readonly string[]): Promise<void> {
  await compare(model, urls)
  for (const [name, run] of Object.entries(LOADS)) {
    const times: number[] = []
    for (const url of urls) {
      await Bun.sleep(PAUSE_MS)
      times.push(await best(() => run(url, model)))
    }
    const cells = times.map((ms) => `${ms.toFixed(1)} ms (${(ms / (times[0] ?? ms)).toFixed(2)})`)
    console.log(`${name.padEnd(30)} ${cells.join("   ")}`)
  }
}
