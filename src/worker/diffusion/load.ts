import type { ImageEvent, ImageRequest } from "../../domain/media/image"
import type { MemoryFootprint } from "../../domain/device"
import type { LoadedMediaInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"
import { asXllmError } from "../../errors/base"
import { ModelLoadFailed } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import { type ImageModel, recognizeImageModel } from "../../formats/image/recognize"
import { readModelFolder } from "../../formats/model-folder"
import { type ImageEngineFiles, locateImageEngine } from "../../native/image-engine"
import { FRAME_START, type WorkerModel } from "../../protocol/messages"
import { loadedParts } from "../attached-parts"
import { threadCount, usableCores } from "../cores"
import type { LoadMessage, MediaEngine } from "../media-shell"
import { DiffusionEngine } from "./diffusion-engine"
import type { EngineFiles, FromSidecar } from "./sidecar-messages"
import { logFrame, SidecarProcess } from "./sidecar-process"

/** The library's log level: errors, warnings and information. */
const VERBOSITY = 2

const CPU = "CPU"

/** Architectures for which a source image must be passed as a reference. */
const FLUX2: readonly string[] = ["flux2", "flux2-klein"]

/**
 * Starts the sidecar and loads the model: on a GPU if allowed and available, otherwise on the CPU.
 * @throws ModelLoadFailed, InvalidModelFile, Unsupported, NativeLibraryError
 */
export async function loadDiffusionModel({
  environment,
  model,
  settings,
}: LoadMessage<ImageRequest>): Promise<MediaEngine<ImageRequest, ImageEvent>> {
  const imageModel = await recognizeImageModel(await readModelFolder(model.path))
  if (imageModel === undefined) throw new ModelLoadFailed(model.name, "it is not an image model")
  const adapter = adapterOf(model, imageModel)
  const files = await locateImageEngine(environment.runtimeFolder)
  const onGpu = settings.gpuLayers !== 0 && files.gpuBackends !== undefined
  return await start({ model, imageModel, adapter, files, settings, onGpu })
}

/** The package supports one adapter, at full scale. */
function adapterOf(model: WorkerModel, imageModel: ImageModel): string | undefined {
  const { name } = model
  const given = loadedParts(model).filter(({ role }) => role === "adapter")
  if (given.some(({ scale = 1 }) => scale !== 1))
    throw new Unsupported(
      `model '${name}': adapters of image models can only be applied at full strength`,
      "model",
    )
  const adapters = [...imageModel.loras, ...given.map(({ path }) => path)]
  if (adapters.length > 1)
    throw new Unsupported(
      `model '${name}': there are ${adapters.length} adapters, and only one can be applied`,
      "model",
    )
  return adapters[0]
}

interface StartOptions {
  readonly model: WorkerModel
  readonly imageModel: ImageModel
  readonly adapter: string | undefined
  readonly files: ImageEngineFiles
  readonly settings: TextModelSettings
  readonly onGpu: boolean
}

/** A load in progress. */
interface Loading {
  readonly done: PromiseWithResolvers<number>
  /** The library's error messages; later ones are consequences of the first. */
  readonly complaints: string[]
  /** GPUs found by the library. */
  readonly gpus: string[]
  /** The library reported an error, rather than just exiting. */
  isRefused: boolean
}

async function start(options: StartOptions): Promise<DiffusionEngine> {
  const { model, imageModel, adapter, files, settings } = options
  const loading: Loading = { done: Promise.withResolvers(), complaints: [], gpus: [], isRefused: false }
  let engine: DiffusionEngine | undefined
  const sidecar = new SidecarProcess(sidecarCommand(files), {
    onMessage(message, bytes) {
      if (message.type === "log" && engine?.isCancelling)
        console.error(logFrame({ ...message, level: DEBUG_LEVEL }))
      else if (message.type === "log") onLog(message, loading)
      else if (message.type === "loaded") loading.done.resolve(message.residentBytes)
      else if (message.type === "load-failed") {
        loading.isRefused = true
        loading.done.reject(new ModelLoadFailed(model.name, loading.complaints[0] ?? message.reason))
      } else engine?.onMessage(message, bytes)
    },
    progress(fraction) {
      if (engine === undefined) console.error(`${FRAME_START}P${fraction}`)
    },
    line: (text) => console.error(text),
    ended(how, signal) {
      // The worker is useless without it. The parent reports the exit to open requests.
      if (engine !== undefined) endWith(`the image engine ${how}`, signal)
      else loading.done.reject(new ModelLoadFailed(model.name, `the image engine ${how}`))
    },
  })
  const threads = threadCount(settings.decodeThreads ?? usableCores())
  sidecar.send({ type: "load", files: engineFiles(imageModel), config: engineConfig(options, threads) })
  try {
    const residentBytes = await loading.done.promise
    const info = loadedInfo(options, { threads, gpus: loading.gpus })
    engine = new DiffusionEngine({
      info,
      footprintOf: (bytes) => footprintOf(info, bytes),
      residentBytes,
      architecture: imageModel.architecture,
      adapter,
      send: (message, bytes) => sidecar.send(message, bytes),
    })
    return engine
  } catch (error) {
    sidecar.kill()
    // A file rejected although no GPU is present would be rejected again on the CPU.
    if (!options.onGpu || (loading.isRefused && loading.gpus.length === 0)) throw error
    console.error(`loading on the GPU failed, using the CPU: ${asXllmError(error).message}`)
    return await start({ ...options, onGpu: false })
  }
}

/** Exits the same way as the sidecar: the parent recognizes an out-of-memory kill and informs its clients. */
function endWith(words: string, signal: NodeJS.Signals | undefined): void {
  console.error(words)
  if (signal === "SIGKILL") process.kill(process.pid, signal)
  else process.exit(1)
}

/** This program, started as a worker that becomes the sidecar. */
function sidecarCommand({ runtime, script }: ImageEngineFiles): readonly string[] {
  const self = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, Bun.main]
  return [...self, "worker", "image-sidecar", runtime, script]
}

const ERROR_LEVEL = 0
const DEBUG_LEVEL = 3

function onLog(message: Extract<FromSidecar, { type: "log" }>, loading: Loading): void {
  console.error(logFrame(message))
  const text = message.text.replace(/^\S+\.[ch]pp:\d+\s+- /, "")
  if (message.level === ERROR_LEVEL) loading.complaints.push(text)
  const gpu = gpuIn(text)
  if (gpu !== undefined) loading.gpus.push(gpu)
}

/** The name of the GPU in a line of the package's log (`logBackendRegistrySnapshot` in its SdModel.cpp). */
export function gpuIn(line: string): string | undefined {
  return /^GGML backend device\[\d+\]: name='([^']+)'.* type=I?GPU\b/.exec(line)?.[1]
}

function engineFiles({ files, isPrefixed }: ImageModel): EngineFiles {
  return {
    path: isPrefixed ? files.diffusion : "",
    diffusionModelPath: isPrefixed ? "" : files.diffusion,
    clipLPath: files.clip_l ?? "",
    clipGPath: files.clip_g ?? "",
    t5XxlPath: files.t5xxl ?? "",
    llmPath: files.llm ?? "",
    vaePath: files.vae ?? "",
  }
}

function engineConfig(
  { imageModel, settings, files, onGpu }: StartOptions,
  threads: number,
): Readonly<Record<string, string | number | boolean>> {
  const [device] = settings.devices ?? []
  return {
    threads,
    device: onGpu ? "gpu" : "cpu",
    // Without backends, no driver is started.
    backendsDir: onGpu ? (files.gpuBackends ?? "") : "/nonexistent",
    ...(onGpu && device !== undefined && { backend: device.toLowerCase() }),
    mmap: settings.memoryMap,
    // Applied at load time, an adapter that does not cover all modules would abort the process.
    lora_apply_mode: "at_runtime",
    verbosity: VERBOSITY,
    ...(FLUX2.includes(imageModel.architecture) && { prediction: "flux2_flow" }),
  }
}

function loadedInfo(
  { imageModel, onGpu }: StartOptions,
  loaded: { readonly threads: number; readonly gpus: readonly string[] },
): Omit<LoadedMediaInfo, "footprint"> {
  const sizes = Object.values(imageModel.files).map((path) => Bun.file(path).size)
  const modelBytes = sizes.reduce((sum, size) => sum + size, 0)
  const gpus = onGpu ? loaded.gpus.slice(0, 1) : []
  return {
    kind: "image",
    family: imageModel.architecture,
    threads: loaded.threads,
    slots: 1,
    modelBytes,
    devices: gpus.length > 0 ? gpus : [CPU],
  }
}

/** The memory of this process and of the sidecar. */
function footprintOf(
  { devices, modelBytes }: Omit<LoadedMediaInfo, "footprint">,
  residentBytes: number,
): MemoryFootprint {
  const gpus = devices.filter((name) => name !== CPU)
  // Mapped weights count in full, although their pages are read on demand.
  const onHost = gpus.length > 0 ? residentBytes : Math.max(residentBytes, modelBytes)
  return {
    ramBytes: process.memoryUsage.rss() + onHost,
    devices: gpus.map((name) => ({ name, bytes: modelBytes })),
  }
}
