import type { ImageEvent, ImageRequest } from "../../domain/image"
import type { LoadedMediaInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"
import { asXllmError } from "../../errors/base"
import { ModelLoadFailed } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import { type ImageModel, recognizeImageModel } from "../../formats/image/recognize"
import { readModelFolder } from "../../formats/model-folder"
import { type ImageEngineFiles, locateImageEngine } from "../../native/image-engine"
import { FRAME_START, type WorkerModel } from "../../protocol/messages"
import { decodeDefaults } from "../../protocol/wire"
import { usableCores } from "../cores"
import type { LoadMessage, MediaEngine } from "../media-shell"
import { DiffusionEngine } from "./diffusion-engine"
import type { EngineFiles, FromSidecar } from "./sidecar-messages"
import { logFrame, SidecarProcess } from "./sidecar-process"

/** Messages of the library's log that are told: errors, warnings and information. */
const VERBOSITY = 2

/** Architectures whose pictures to start from the library has to be told to take as a reference. */
const FLUX2: readonly string[] = ["flux2", "flux2-klein"]

/**
 * Starts the process that draws, and has it load the model: on the GPU where one may be used and is there, else on the
 * CPU.
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

/** The package applies one adapter, and it as it is. */
function adapterOf({ name, defaults }: WorkerModel, imageModel: ImageModel): string | undefined {
  const given = decodeDefaults(defaults).adapters ?? []
  if (given.some(({ scale }) => scale !== 1))
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

/** A load under way. */
interface Loading {
  readonly done: PromiseWithResolvers<number>
  /** What went wrong, in the library's own words; what it says later follows from the first. */
  readonly complaints: string[]
  /** GPUs that the library has found. */
  readonly gpus: string[]
  /** The library said no, and did not just end. */
  isRefused: boolean
}

async function start(options: StartOptions): Promise<DiffusionEngine> {
  const { model, imageModel, adapter, files, settings } = options
  const loading: Loading = { done: Promise.withResolvers(), complaints: [], gpus: [], isRefused: false }
  let engine: DiffusionEngine | undefined
  const sidecar = new SidecarProcess(sidecarCommand(files), {
    onMessage(message, bytes) {
      if (message.type === "log") onLog(message, loading)
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
      // Nothing here can go on without it. While requests are open the parent reports the end of this process.
      if (engine !== undefined) endWith(`the image engine ${how}`, signal)
      else loading.done.reject(new ModelLoadFailed(model.name, `the image engine ${how}`))
    },
  })
  const threads = settings.decodeThreads ?? usableCores()
  sidecar.send({ type: "load", files: engineFiles(imageModel), config: engineConfig(options, threads) })
  try {
    const residentBytes = await loading.done.promise
    const info = loadedInfo(options, { threads, residentBytes, gpus: loading.gpus })
    engine = new DiffusionEngine({
      info,
      architecture: imageModel.architecture,
      adapter,
      send: (message, bytes) => sidecar.send(message, bytes),
    })
    return engine
  } catch (error) {
    sidecar.kill()
    // A file that is refused where there is no GPU would be refused again.
    if (!options.onGpu || (loading.isRefused && loading.gpus.length === 0)) throw error
    console.error(`loading on the GPU failed, using the CPU: ${asXllmError(error).message}`)
    return await start({ ...options, onGpu: false })
  }
}

/** As its engine ended: the parent sees whether the kernel has killed for want of memory, and tells its clients. */
function endWith(words: string, signal: NodeJS.Signals | undefined): void {
  console.error(words)
  if (signal === "SIGKILL") process.kill(process.pid, signal)
  else process.exit(1)
}

/** This program, as the worker that turns into the one that draws. */
function sidecarCommand({ runtime, script }: ImageEngineFiles): readonly string[] {
  const self = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, Bun.main]
  return [...self, "worker", "image-sidecar", runtime, script]
}

const ERROR_LEVEL = 0

function onLog(message: Extract<FromSidecar, { type: "log" }>, loading: Loading): void {
  console.error(logFrame(message))
  const text = message.text.replace(/^\S+\.[ch]pp:\d+\s+- /, "")
  if (message.level === ERROR_LEVEL) loading.complaints.push(text)
  const gpu = gpuIn(text)
  if (gpu !== undefined) loading.gpus.push(gpu)
}

/** The name of the GPU that a line of the package's log tells of (`logBackendRegistrySnapshot` in its SdModel.cpp). */
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
    // Where there are no backends no driver is started.
    backendsDir: onGpu ? (files.gpuBackends ?? "") : "/nonexistent",
    ...(onGpu && device !== undefined && { backend: device.toLowerCase() }),
    mmap: settings.memoryMap,
    // Applied to the weights at once, an adapter that leaves one of the modules alone would end the process.
    lora_apply_mode: "at_runtime",
    verbosity: VERBOSITY,
    ...(FLUX2.includes(imageModel.architecture) && { prediction: "flux2_flow" }),
  }
}

function loadedInfo(
  { imageModel, onGpu }: StartOptions,
  loaded: { readonly threads: number; readonly residentBytes: number; readonly gpus: readonly string[] },
): LoadedMediaInfo {
  const sizes = Object.values(imageModel.files).map((path) => Bun.file(path).size)
  const modelBytes = sizes.reduce((sum, size) => sum + size, 0)
  const gpus = onGpu ? loaded.gpus.slice(0, 1) : []
  // Mapped weights count in full, though their pages come as they are read.
  const onHost = gpus.length > 0 ? loaded.residentBytes : Math.max(loaded.residentBytes, modelBytes)
  return {
    kind: "image",
    family: imageModel.architecture,
    threads: loaded.threads,
    slots: 1,
    modelBytes,
    devices: gpus.length > 0 ? gpus : ["CPU"],
    footprint: {
      ramBytes: process.memoryUsage.rss() + onHost,
      devices: gpus.map((name) => ({ name, bytes: modelBytes })),
    },
  }
}
