/**
 * A program of its own that runs an engine, to be killed in the middle of its work: `engine-host.ts FOLDER MODEL`.
 * Prints the worker's process id and how much is loaded while it loads, and "token" with every token that comes.
 */
import { realEngine } from "./real/real-engine"
import { greedy } from "./requests"

const [folder = "", model = ""] = process.argv.slice(2)
const engine = realEngine(folder, { settings: { contextLength: 4096, slots: 2 } })

for await (const event of engine.complete(greedy("a", { model }), new AbortController().signal)) {
  if (event.type === "loading") console.log(`worker ${engine.loaded()[0]?.pid} ${event.fraction}`)
  if (event.type === "text") console.log("token")
}
