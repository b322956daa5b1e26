import { tmpdir } from "node:os"
import { join } from "node:path"
import type { GenerationEvent, GenerationRequest } from "../../../src/domain/chat"
import type { TextModelSettings } from "../../../src/domain/settings"
import { createEngine, type ManagedEngine } from "../../../src/engine"
import type { Engine, MemoryLimits } from "../../../src/engine/contract"
import type { Timeouts } from "../../../src/engine/process/timeouts"
import { createLogger } from "../../../src/log/logger"
import type { Aliases } from "../../../src/lib/aliases"
import { createStore } from "../../../src/store"
import { EXACT_SETTINGS, realWorkerCommand } from "./real-worker"

export interface RealEngineOptions {
  readonly aliases?: Aliases
  /** Overrides of {@link EXACT_SETTINGS}. */
  readonly settings?: Partial<TextModelSettings>
  readonly limits?: Partial<Timeouts>
  readonly memory?: MemoryLimits
}

/** Models are never unloaded automatically. */
const KEPT = {
  priority: "normal",
  pinned: false,
  keepAliveSeconds: null,
  stepTimeoutSeconds: null,
  replicas: 1,
  preload: false,
} as const

/** An engine with real workers for the models of a folder; close it after use. */
export function realEngine(modelsFolder: string, options: RealEngineOptions = {}): ManagedEngine {
  return createEngine({
    store: createStore({ modelsFolder, aliases: () => options.aliases ?? new Map() }),
    settingsOf: () => ({ ...EXACT_SETTINGS, ...KEPT, ...options.settings }),
    runtimeFolder: join(tmpdir(), "xllm-test-runtime"),
    derivedFolder: join(modelsFolder, "derived"),
    workerCommand: realWorkerCommand,
    log: createLogger({ level: "off" }),
    ...(options.memory !== undefined && { memory: options.memory }),
    ...(options.limits !== undefined && { limits: options.limits }),
  })
}

/** All events of a request. @throws its error */
export async function eventsOf(
  engine: Engine,
  request: GenerationRequest,
): Promise<readonly GenerationEvent[]> {
  const { signal } = new AbortController()
  const events: GenerationEvent[] = []
  const stream = request.kind === "chat" ? engine.chat(request, signal) : engine.complete(request, signal)
  for await (const event of stream) events.push(event)
  return events
}

/** The text of the first choice. */
export async function answerOf(engine: Engine, request: GenerationRequest): Promise<string> {
  return (await eventsOf(engine, request))
    .map((event) => (event.type === "delta" && event.choice === 0 ? event.text : ""))
    .join("")
}
