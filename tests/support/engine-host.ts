/**
 * A program that runs an engine, for tests that kill it in the middle of its work: `engine-host.ts FOLDER MODEL`.
 * Prints the worker's process id and the progress while loading, and "token" for every token.
 */
import { realEngine } from "./real/real-engine"
import { greedy } from "./requests"

const [folder = "", model = ""] = process.argv.slice(2)
const engine = realEngine(folder, { settings: { contextLength: 4096, slots: 2 } })

for await (const event of engine.complete(greedy("a", { model }), new AbortController().signal)) {
  if (event.type === "loading") console.log(`worker ${engine.loaded()[0]?.pid} ${event.fraction}`)
  if (event.type === "delta") console.log("token")
}
