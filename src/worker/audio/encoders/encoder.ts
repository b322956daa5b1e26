/** Turns a stream of mono samples into the bytes of one audio file, part by part. */
export interface AudioEncoder {
  readonly mime: string
  /** Hertz, of the samples that it takes. */
  readonly sampleRate: number
  /** The bytes that these samples complete; they may be none. */
  push(samples: Float32Array): Uint8Array
  /** The rest, after the last sample. */
  end(): Uint8Array
}

/** A file format, as a table of them sees it. */
export interface AudioCodec {
  /** The sample rates that it knows, ascending; absent: any. */
  readonly rates?: readonly number[]
  create(sampleRate: number): Promise<AudioEncoder>
}

/** The heap of a module that Emscripten compiled. */
export interface EmscriptenHeap {
  /** Another object after each growth of the memory. */
  readonly HEAPU8: Uint8Array
}
