/**
 * The thread that tokenizes requests and does all other work before decoding. It is separate from the decode
 * thread so that a long or hostile request does not delay running streams and can be terminated.
 */
import { asXllmError } from "../../../errors/base"
import { Library } from "../../../llama/library"
import { Vocabulary } from "../../../llama/vocabulary"
import { decodeDefaults } from "../../../protocol/wire"
import { ConstraintCompiler } from "./constraint-compiler"
import { PromptBuilder } from "./prompt-builder"
import type { FromPromptThread, PromptThreadSetup, ToPromptThread } from "./prompt-messages"
import { RequestPreparer } from "./request-preparer"

declare const self: Worker

type Job = Extract<ToPromptThread, { type: "prepare" }>

function post(message: FromPromptThread): void {
  postMessage(message)
}

let preparer: RequestPreparer | undefined
let jobs: Job[] = []

function handle(message: ToPromptThread): void {
  switch (message.type) {
    case "setup":
      return setUp(message)
    case "prepare":
      jobs.push(message)
      // One at a time, so that messages in between are received.
      if (jobs.length === 1) setImmediate(work)
      return
    case "forget":
      return forget(message.id)
    default:
      message satisfies never
  }
}

function setUp(setup: PromptThreadSetup): void {
  const library = Library.share(setup.files)
  const vocabulary = Vocabulary.fromShare(library, setup.vocabulary)
  const builder = new PromptBuilder(vocabulary, setup)
  const constraints = new ConstraintCompiler(library, vocabulary)
  preparer = new RequestPreparer({
    ...setup,
    vocabulary,
    builder,
    constraints,
    modelDefaults: decodeDefaults(setup.modelDefaults),
  })
  const { longestTokenBytes, template } = builder
  const { fallback } = template
  post({
    type: "ready",
    ...(longestTokenBytes !== undefined && { longestTokenBytes }),
    ...(fallback !== undefined && { fallback }),
  })
}

function work(): void {
  const job = jobs.shift()
  if (job !== undefined) post(answer(job))
  if (jobs.length > 0) setImmediate(work)
}

function answer({ id, purpose, request, media }: Job): FromPromptThread {
  const progress = {
    compiling: (): void => post({ type: "compiling", id }),
    compiled: (): void => post({ type: "compiled", id }),
    templated: (): void => post({ type: "templated", id }),
  }
  try {
    if (preparer === undefined) throw new Error("the prompt thread is not set up")
    return purpose === "render"
      ? { type: "rendered", id, result: preparer.render(request, progress, media) }
      : { type: "prepared", id, request: preparer.prepare(request, progress, media) }
  } catch (error) {
    return { type: "failed", id, error: asXllmError(error).toWire() }
  }
}

function forget(id: number): void {
  if (!jobs.some((job) => job.id === id)) return
  jobs = jobs.filter((job) => job.id !== id)
  post({ type: "forgotten", id })
}

self.onmessage = (event: MessageEvent<ToPromptThread>) => handle(event.data)
