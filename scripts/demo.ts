import { join, relative } from "node:path"
import { findDemoModel } from "./demo-model"
import { startDemoServer } from "./demo-server"
import { freshBinary } from "./fresh-binary"
import { streamChat } from "./stream-chat"

/** Builds xLLM, finds a model, serves it and sends it a question over HTTP. */
const ROOT = join(import.meta.dir, "..")
const QUESTION = "What is the capital of France, and what is it known for?"

const binary = await freshBinary()
const model = await findDemoModel(ROOT)
console.log(`\nModel:    ${model.path}\n          ${model.origin}`)

await using server = await startDemoServer(binary, model.path)
console.log(`Server:   ${server.url}\nQuestion: ${QUESTION}`)
process.stdout.write("Answer:   ")
const summary = await streamChat(server.url, QUESTION, (text) => process.stdout.write(text))
console.log(
  `\n\n${summary.tokens} tokens, ${summary.tokensPerSecond.toFixed(1)} tokens/s, first one after ${summary.firstTokenMs.toFixed(0)} ms`,
)
if (model.isGenerated)
  console.log("The weights of this model are random numbers, so its answer means nothing.")

const [program, file] = [binary, model.path].map(shorten)
console.log(`
Try next:
  ${program} run ${file}
      a conversation in the terminal
  ${program} serve ${file}
      the same server for your own programs; any OpenAI client works with http://127.0.0.1:32769/v1
  ${program} --help`)

/** The path as typed from the current folder. */
function shorten(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith("../..") ? path : short
}
