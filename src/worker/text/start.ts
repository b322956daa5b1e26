import { writeSync } from "node:fs"
import { join } from "node:path"
import type { AttachedPart } from "../../domain/attached-parts"
import { NO_BUDGET, type TextModelSettings } from "../../domain/settings"
import { asXllmError, InternalError } from "../../errors/base"
import { PromptFolder } from "../../kv-disk/folder"
import { LLAMA_BUILD } from "../../llama/library"
import { systemMemory } from "../../lib/system/system-memory"
import { locateLlama } from "../../native/llama-files"
import { FRAME_START, type FromTextWorker, type ToTextWorker } from "../../protocol/messages"
import { decodeDefaults } from "../../protocol/wire"
import { loadedParts } from "../attached-parts"
import { Tokenizer } from "../embedding/tokenizer"
import { textEmbedder } from "../embedding/text-embedder"
import { endWithParent } from "../lifetime"
import { fingerprintOf } from "./cache/disk/fingerprint"
import { SavedPrompts } from "./cache/disk/saved-prompts"
import { cutsBack } from "./cache/slots"
import { type LoadedText, loadText } from "./load"
import type { Senses } from "./media/media-prompts"
import { pictureCommand, ProcessMediaReader } from "./media/media-reader"
import { newThread, PromptClient } from "./prompt/prompt-client"
import type { ThinkingDefaults } from "./prompt/prompt-messages"
import { modelDefaults } from "./sampling/sampling"
import { TextWorker } from "./worker"

/** Share of free memory that copies of prompts' states may use on their way from and to disk. */
const COPIED_SHARE = 1 / 4

/** The shim writes log and progress frames here; the parent reads stderr. */
const STDERR = 2

type Load = Extract<ToTextWorker, { type: "load" }>

/** Runs a text model for the parent process until the parent disconnects. */
export function runTextWorker(): void {
  const send = (message: FromTextWorker): void => void process.send?.(message)
  let worker: TextWorker | undefined
  process.on("message", (message: ToTextWorker) => {
    if (message.type === "stop") return void end(worker, message.saveMs)
    if (message.type !== "load") return worker?.handle(message)
    endWithParent(message.environment.parentPid)
    void startTextWorker(message, send).then(
      (started) => (worker = started),
      (error: unknown) =>
        process.send?.({ type: "load-failed", error: asXllmError(error).toWire() }, () => process.exit(1)),
    )
  })
}

/** Ends this process; a worker that works may write prompts to disk before. */
async function end(worker: TextWorker | undefined, saveMs: number): Promise<void> {
  if (saveMs > 0) await worker?.end(AbortSignal.timeout(saveMs))
  process.exit(0)
}

async function startTextWorker(load: Load, send: (message: FromTextWorker) => void): Promise<TextWorker> {
  const { settings, kv } = load
  if (kv === undefined)
    throw new InternalError("a text model was to be loaded without a plan of its KV cache")
  const thread = newThread()
  const files = await locateLlama(load.environment.runtimeFolder)
  const { name, path, defaults } = load.model
  const ownDefaults = decodeDefaults(defaults)
  const parts = loadedParts(load.model)
  const loaded = loadText(files, { name, path, parts }, settings, kv, STDERR)
  const { model, contextLength, info } = loaded
  const architecture = model.metadata("general.architecture")
  const prompts = new PromptClient(
    {
      files,
      vocabulary: model.vocabulary.share(),
      chatTemplate: ownDefaults.template ?? model.chatTemplate ?? null,
      ...(architecture !== undefined && { architecture }),
      isTemplateChosen: ownDefaults.template !== undefined,
      contextLength,
      needsCheckpoints: !cutsBack(loaded.cache.traits),
      ...(defaults !== undefined && { modelDefaults: defaults }),
      thinking: thinkingOf(settings),
      sampling: modelDefaults((key) => model.metadata(key), {
        ...ownDefaults.sampling,
        ...(settings.seed !== null && { seed: settings.seed }),
      }),
    },
    load.templateTimeoutMs,
    thread,
  )
  const { fallback, longestTokenBytes } = await prompts.start()
  const template =
    fallback === undefined
      ? ({ chatTemplate: "model" } as const)
      : ({ chatTemplate: "built-in", templateFallback: fallback.explanation } as const)
  const capacity = longestTokenBytes === undefined ? {} : { longestTokenBytes }
  send({ type: "ready", info: { ...info, ...template, ...capacity } })
  const saved = savedPrompts(load, loaded, parts)
  const tokenizer = new Tokenizer(files, model.vocabulary.share())
  return new TextWorker({
    loaded,
    plan: kv,
    name,
    prompts,
    senses: sensesOf(loaded),
    saved,
    batchCosts: load.batchCosts,
    settings,
    tokenizer,
    embedder: (parts) => textEmbedder({ ...parts, loaded, name, tokenizer, settings }),
    turnFolder: join(load.environment.runtimeFolder, "turns"),
    send,
  })
}

function sensesOf({ projector }: LoadedText): Senses | undefined {
  if (projector === undefined) return undefined
  return { planner: projector, reader: new ProcessMediaReader(pictureCommand(), projector.sampleRate) }
}

/** The model's prompts on disk; undefined: they are not kept. */
function savedPrompts(
  { model: { name, id, path }, settings }: Load,
  { cache }: LoadedText,
  parts: readonly AttachedPart[],
): SavedPrompts | undefined {
  const { promptsOnDisk } = settings
  if (promptsOnDisk === undefined) return undefined
  let fingerprint: Promise<string> | undefined
  return new SavedPrompts({
    folder: new PromptFolder({ ...promptsOnDisk, warn: writeWarning }),
    fingerprint: () => (fingerprint ??= fingerprintOf(path, parts, { settings, build: LLAMA_BUILD })),
    model: name,
    modelId: id,
    minTokens: promptsOnDisk.minTokens,
    cutsBack: cutsBack(cache.traits),
    mostBytes: () => systemMemory().availableBytes * COPIED_SHARE,
    now: () => performance.now(),
  })
}

/** The parent logs lines of this level. */
function writeWarning(text: string): void {
  writeSync(STDERR, `${FRAME_START}L4 ${text.replaceAll("\n", " ")}\n`)
}

function thinkingOf({ reasoning, reasoningBudget }: TextModelSettings): ThinkingDefaults {
  return {
    ...(reasoning !== "auto" && { isEnabled: reasoning === "on" }),
    ...(reasoningBudget !== NO_BUDGET && { budgetTokens: reasoningBudget }),
  }
}
