import { NativeLibraryError } from "../errors/engine"
import { cString, type Library, type NativePointer } from "./library"

/** Values by the names of llama.h. Those that are absent keep llama.cpp's defaults. */
export type Parameters = Readonly<Record<string, number>>

/**
 * Calls `use` with the native parameters for a model or a context, valid during the call.
 * @throws NativeLibraryError for a name that the shim does not know, or a value of another type
 */
export function withParameters<T>(
  { shim }: Library,
  of: "model" | "context",
  values: Parameters,
  use: (parameters: NativePointer) => T,
): T {
  const parameters = of === "model" ? shim.xllm_model_params() : shim.xllm_context_params()
  if (parameters === null) throw new NativeLibraryError(`there is no memory for the parameters of a ${of}`)
  const set = of === "model" ? shim.xllm_model_param : shim.xllm_context_param
  try {
    for (const [name, value] of Object.entries(values)) {
      if (!set(parameters, cString(name), value)) throw new NativeLibraryError(shim.xllm_error() ?? name)
    }
    return use(parameters)
  } finally {
    shim.xllm_params_free(parameters)
  }
}
