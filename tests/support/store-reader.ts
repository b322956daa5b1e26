/** A program for tests: prints what the store of a folder lists, and what it says of a model, by name or by path. */
import { createLogger } from "../../src/log/logger"
import { createStore } from "../../src/store"

const [modelsFolder = "", model = ""] = process.argv.slice(2)
const warnings: string[] = []
const write = (line: string) => {
  const { path, reason } = JSON.parse(line)
  warnings.push(`${path} ${reason}`)
}
const store = createStore({ modelsFolder, log: createLogger({ level: "warn", format: "json", write }) })
const names = (await store.list()).map(({ name }) => name)
const asked = model.startsWith("/") ? store.add(model) : store.describe(model)
const told = await asked.then(
  ({ name }) => name,
  (error: Error) => error.message,
)
process.stdout.write(JSON.stringify({ names, warnings, told }))
