import { cc, dlopen, type Pointer } from "bun:ffi"
import { reasonOf } from "../errors/base"
import { NativeLibraryError } from "../errors/engine"
import { withoutPaths } from "../lib/text/without-paths"
import { ggmlBaseSymbols, ggmlSymbols, llamaSymbols, shimSymbols } from "./symbols"

/** The release that `shim.c` and `symbols.ts` were written for. */
const LLAMA_VERSION = "0.5.0-dev"
const GGML_COMMIT = "0ad4a86"

/** Where the native files are; real paths, as `native/llama-files.ts` finds them. */
export interface LibraryFiles {
  readonly folder: string
  readonly libraries: { readonly ggmlBase: string; readonly ggml: string; readonly llama: string }
  readonly vulkan?: string
  readonly cuda?: string
  readonly shim: string
}

export interface LibraryOptions {
  /** Load the GPU backends that the files have. */
  readonly useGpu: boolean
  /** File descriptor for log and progress frames; see `protocol/messages.ts`. */
  readonly logDescriptor: number
  /** Lowest level of llama.cpp's log that is sent: 1 debug, 2 info, 3 warn, 4 error. */
  readonly logLevel: number
}

/** Where something native is. bun:ffi gives addresses beyond 2^53 as bigint. */
export type NativePointer = Pointer | bigint

/** llama.cpp, loaded and checked: every native call goes through here. Stays inside `llama/`. */
export class Library {
  readonly shim: ReturnType<typeof compileShim>
  readonly base
  readonly ggml
  readonly llama
  /** As the libraries report it. */
  readonly version: string
  /** Why no GPU backend is there although the files have one; absent where nothing is amiss. */
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
   * Loads the libraries, checks that they are the ones this code was written for, and registers the backends.
   * @throws NativeLibraryError with what differs
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

  /** The same libraries for another thread of this process, where they are loaded and checked already. */
  static share(files: LibraryFiles): Library {
    return new Library(files)
  }

  /** What the last failed call of the shim said. */
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

  /** A backend that cannot be loaded (no driver, no Vulkan loader) is not an error: the CPU does the work. */
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

/** `text` as a C string: bun:ffi takes no JavaScript string as an argument. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, "utf8")
}
