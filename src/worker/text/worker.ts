import { join } from "node:path"
import { asXllmError, ContextLengthExceeded, InvalidRequest } from "../../errors"
import type { GenerationRequest, ModelDefaults, SamplingParameters } from "../../domain"
import { PRODUCTS } from "../../limits"
import { Sampler } from "../../llama/sampler"
import { locateLlama } from "../../native/llama-files"
import type { FromTextWorker, ToTextWorker } from "../../protocol/messages"
import { type CpuTurns, openTurns } from "../cpu-turns"
import { endWithParent } from "../lifetime"
import { withDefaults } from "./defaults"
import { type LoadedText, loadText } from "./load"
import { TextLoop } from "./loop"
import { Outbox } from "./outbox"
import { PromptClient } from "./prompt-client"
import type { BuiltPrompt } from "./prompt-messages"
import { mostTokens, RunningRequest, textField } from "./request"
import { effectiveSampling, modelDefaults } from "./sampling"
import { Sequence } from "./sequence"
import { ThreadGovernor } from "./threads"

/** How often a worker that waits for its turn says that it lives, in ms. */
const SIGN_OF_LIFE_MS = 1000

/** Where the shim writes log and progress frames: the parent reads stderr. */
const STDERR = 2

type Load = Extract<ToTextWorker, { type: "load" }>
type Generate = Extract<ToTextWorker, { type: "generate" }>

/** Runs one text model for the parent process, until that ends the connection. */
export function runTextWorker(): void {
  const send = (message: FromTextWorker): void => void process.send?.(message)
  let worker: TextWorker | undefined
  process.on("message", (message: ToTextWorker) => {
    if (message.type === "stop") process.exit(0)
    if (message.type !== "load") return worker?.handle(message)
    endWithParent(message.environment.parentPid)
    void startTextWorker(message, send).then(
      (started) => (worker = started),
      (error: unknown) =>
        process.send?.({ type: "load-failed", error: asXllmError(error).toWire() }, () => process.exit(1)),
    )
  })
}

async function startTextWorker(load: Load, send: (message: FromTextWorker) => void): Promise<TextWorker> {
  const files = await locateLlama(load.environment.runtimeFolder)
  const loaded = loadText(files, load.model, load.settings, STDERR)
  const { model, contextLength, info } = loaded
  const { defaults = {} } = load.model
  const prompts = new PromptClient(
    {
      files,
      vocabulary: model.vocabulary.share(),
      chatTemplate: defaults.template ?? model.chatTemplate ?? null,
      isTemplateChosen: defaults.template !== undefined,
      contextLength,
    },
    load.templateTimeoutMs,
  )
  const template = await prompts.start()
  if (template.fallbackReason !== undefined)
    console.error(`the built-in ChatML template is used: ${template.fallbackReason}`)
  const { templateOrigin: chatTemplate, longestTokenBytes } = template
  send({
    type: "ready",
    info: { ...info, chatTemplate, ...(longestTokenBytes !== undefined && { longestTokenBytes }) },
  })
  return new TextWorker(loaded, defaults, prompts, join(load.environment.runtimeFolder, "turns"), send)
}

/** Takes the parent's messages, and keeps the loop going while there is work. */
class TextWorker {
  readonly #loaded: LoadedText
  /** What comes along with the model. */
  readonly #along: ModelDefaults
  readonly #prompts: PromptClient
  readonly #send: (message: FromTextWorker) => void
  readonly #outbox: Outbox
  readonly #loop: TextLoop
  readonly #defaults: SamplingParameters
  /** Requests whose prompt is being built. */
  readonly #building = new Set<number>()
  readonly #turns: CpuTurns | undefined
  #looping = false

  constructor(
    loaded: LoadedText,
    along: ModelDefaults,
    prompts: PromptClient,
    turnFolder: string,
    send: (message: FromTextWorker) => void,
  ) {
    const now = (): number => performance.now()
    this.#loaded = loaded
    this.#along = along
    this.#prompts = prompts
    this.#send = send
    // A model that computes on GPUs only leaves the cores to others.
    this.#turns = loaded.info.gpuLayers < loaded.info.totalLayers ? openTurns(turnFolder) : undefined
    this.#outbox = new Outbox(send)
    this.#defaults = modelDefaults((key) => loaded.model.metadata(key), along.sampling)
    this.#loop = new TextLoop({
      ...loaded,
      outbox: this.#outbox,
      threads: new ThreadGovernor(loaded.threads, now),
      now,
    })
  }

  handle(message: Exclude<ToTextWorker, { type: "load" | "stop" }>): void {
    switch (message.type) {
      case "generate":
        return void this.#generate(message)
      case "cancel":
        return this.#cancel(message.id)
      case "render":
        return void this.#render(message.id, message.request)
      default:
        message satisfies never
    }
  }

  async #generate(message: Generate): Promise<void> {
    this.#building.add(message.id)
    const request = withDefaults(message.request, this.#along)
    try {
      const prompt = await this.#prompts.build(request)
      if (!this.#building.has(message.id)) return
      this.#loop.submit(this.#makeRequest({ ...message, request }, prompt))
      this.#building.delete(message.id)
      void this.#run()
    } catch (error) {
      if (!this.#building.delete(message.id)) return
      this.#outbox.error(message.id, asXllmError(error))
      this.#outbox.flush()
    }
  }

  #makeRequest({ id, request, queueMs, loadMs }: Generate, prompt: BuiltPrompt): RunningRequest {
    const { contextLength, model } = this.#loaded
    this.#refuseOverlong(request, prompt)
    const sampling = effectiveSampling(this.#defaults, request.sampling)
    const startedAt = performance.now()
    const running = new RunningRequest({
      id,
      request,
      prompt,
      sampling,
      contextLength,
      queueMs,
      loadMs,
      startedAt,
    })
    const seed = sampling.seed ?? randomSeed()
    for (let choice = 0; choice < request.n; choice++) {
      const sampler = new Sampler(model, sampling, seed + choice, contextLength)
      const sequence = new Sequence(running, choice, sampler)
      // The prompt's own log probabilities come first, in the first choice.
      const first = running.sequences[0]
      if (running.wantsPromptLogprobs && first)
        sequence.leader = { sequence: first, length: sequence.tokens.length }
      running.sequences.push(sequence)
    }
    return running
  }

  #refuseOverlong(request: GenerationRequest, { tokens }: BuiltPrompt): void {
    const { contextLength } = this.#loaded
    if (tokens.length > contextLength)
      throw new ContextLengthExceeded(tokens.length, contextLength, textField(request))
    refuseManyLogprobs(request, tokens.length)
    if (tokens.length === 0)
      throw new InvalidRequest("the prompt is empty, and this model adds no token of its own", "prompt")
  }

  #cancel(id: number): void {
    this.#building.delete(id)
    this.#loop.cancel(id)
    // The parent waits for a sign that the slots are free.
    this.#outbox.flush()
  }

  async #render(id: number, asked: GenerationRequest): Promise<void> {
    const request = withDefaults(asked, this.#along)
    try {
      const { text, tokens, logitBias } = await this.#prompts.build(request)
      const sampling = { ...effectiveSampling(this.#defaults, request.sampling), logitBias }
      const maxTokens = mostTokens(request, tokens.length, this.#loaded.contextLength)
      const parameters = { ...sampling, maxTokens, stop: request.stop }
      this.#send({ type: "rendered", id, result: { prompt: text, tokens: Array.from(tokens), parameters } })
    } catch (error) {
      this.#send({ type: "render-failed", id, error: asXllmError(error).toWire() })
    }
  }

  /** Steps as long as there is work, each in its turn on the CPU, and lets messages in between. */
  async #run(): Promise<void> {
    if (this.#looping) return
    this.#looping = true
    this.#loop.resume()
    while (this.#loop.busy) {
      const waitedMs =
        this.#turns === undefined || this.#turns.tryTake() ? 0 : await this.#waitForTurn(this.#turns)
      this.#loop.step({ waitedMs, contended: this.#turns?.contended ?? false })
      this.#turns?.giveBack()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#looping = false
  }

  /** Others compute; meanwhile the parent hears that this worker is not the one that hangs. Resolves to ms. */
  async #waitForTurn(turns: CpuTurns): Promise<number> {
    const startedAt = performance.now()
    const signsOfLife = setInterval(() => this.#outbox.flush(), SIGN_OF_LIFE_MS)
    await turns.wait()
    clearInterval(signsOfLife)
    return performance.now() - startedAt
  }
}

/** The log probabilities of a prompt come as one event, whose size nobody but its tokens tells. @throws InvalidRequest */
function refuseManyLogprobs(request: GenerationRequest, tokens: number): void {
  const { topLogprobs } = request
  if (request.kind !== "completion" || !request.echo || topLogprobs === undefined) return
  const count = request.n * tokens * (1 + topLogprobs)
  if (count <= PRODUCTS.echoedLogprobs) return
  throw new InvalidRequest(
    `echo with logprobs ${topLogprobs} of ${tokens} tokens in ${request.n} choices comes to ${count} log probabilities; ` +
      `at most ${PRODUCTS.echoedLogprobs} are possible`,
    "logprobs",
  )
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}
