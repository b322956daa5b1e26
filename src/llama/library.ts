import { cc, dlopen, type Pointer } from "bun:ffi"
import { reasonOf } from "../errors/base"
import { NativeLibraryError } from "../errors/engine"
import { withoutPaths } from "../lib/text/without-paths"
import { ggmlBaseSymbols, ggmlSymbols, llamaSymbols, shimSymbols } from "./symbols"

/** The release that `shim.c` and `symbols.ts` are written for. */
const LLAMA_VERSION = "0.5.0-dev"
const GGML_COMMIT = "0ad4a86"

/** The same only where the libraries are. */
export const LLAMA_BUILD = `${LLAMA_VERSION} ${GGML_COMMIT}`

/** Paths of the native files, symlinks resolved, as found by `native/llama-files.ts`. */
export interface LibraryFiles {
  readonly folder: string
  readonly libraries: { readonly ggmlBase: string; readonly ggml: string; readonly llama: string }
  readonly vulkan?: string
  readonly cuda?: string
  readonly shim: string
}

export interface LibraryOptions {
  /** Load the available GPU backends. */
  readonly useGpu: boolean
  /** File descriptor for log and progress frames; see `protocol/messages.ts`. */
  readonly logDescriptor: number
  /** Minimum level of llama.cpp log lines to send: 1 debug, 2 info, 3 warn, 4 error. */
  readonly logLevel: number
}

/** A native address. bun:ffi returns those beyond 2^53 as bigint. */
export type NativePointer = Pointer | bigint

/** llama.cpp, loaded and checked: all native calls go through it. Used only inside `llama/`. */
export class Library {
  readonly shim: ReturnType<typeof compileShim>
  readonly base
  readonly ggml
  readonly llama
  /** Version reported by the libraries. */
  readonly version: string
  /** Why an available GPU backend could not be loaded; undefined if there is no problem. */
  gpuFallback: string | undefined

  private constructor(files: LibraryFiles) {
    this.shim = compileShim(files.shim)
    const { ggmlBase, ggml, llama } = files.libraries
    if (!this.shim.xllm_open(cString(ggmlBase), cString(ggml), cString(llama)))
      throw new NativeLibraryError(`llama.cpp's libraries could not be loaded: ${this.lastError()}`)
    this.base = dlopen(ggmlBase, ggmlBaseSymbols).symbols
    this.ggml = dlopen(ggml, ggmlSymbols).symbols
    this.llama = dlopen(llama, llamaSymbols).symbols
    this.version = this.llama.llama_version() ?? "unknown"
  }

  /**
   * Loads the libraries, checks that they are the pinned release, and registers the backends.
   * @throws NativeLibraryError with the mismatch
   */
  static open(files: LibraryFiles, options: LibraryOptions): Library {
    const library = new Library(files)
    library.#check()
    library.shim.xllm_log_to(options.logDescriptor, options.logLevel)
    library.ggml.ggml_backend_load_all_from_path(cString(files.folder))
    if (options.useGpu) library.#loadGpuBackends(files)
    library.llama.llama_backend_init()
    return library
  }

  /** The libraries for another thread of this process, already loaded and checked. */
  static share(files: LibraryFiles): Library {
    return new Library(files)
  }

  /** The message of the last shim function that failed. */
  lastError(): string {
    return this.shim.xllm_error() ?? ""
  }

  #check(): void {
    const commit = this.base.ggml_commit()
    if (this.version !== LLAMA_VERSION || commit !== GGML_COMMIT)
      throw new NativeLibraryError(
        `this build needs llama.cpp ${LLAMA_VERSION} (ggml ${GGML_COMMIT}), but found ${this.version} (ggml ${commit})`,
      )
    if (!this.shim.xllm_check()) throw new NativeLibraryError(this.lastError())
  }

  /** A backend that cannot be loaded (no driver, no Vulkan loader) is no error: the model runs on the CPU. */
  #loadGpuBackends(files: LibraryFiles): void {
    for (const path of [files.cuda, files.vulkan]) {
      if (path === undefined || this.shim.xllm_backend_load(cString(path))) continue
      this.gpuFallback = `the GPU backend could not be loaded: ${withoutPaths(this.lastError())}`
    }
  }
}

function compileShim(source: string) {
  try {
    return cc({ source, symbols: shimSymbols }).symbols
  } catch (cause) {
    throw new NativeLibraryError(`the native shim could not be compiled: ${reasonOf(cause)}`, cause)
  }
}

/** `text` as a C string: bun:ffi does not accept JavaScript strings as arguments. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf8")
}
