/** Encodes a stream of mono samples as one audio file, in parts. */
export interface AudioEncoder {
  readonly mime: string
  /** Sample rate of the input, in Hz. */
  readonly sampleRate: number
  /** The bytes completed by these samples; may be empty. */
  push(samples: Float32Array): Uint8Array
  /** The remaining bytes, after the last sample. */
  end(): Uint8Array
}

/** An entry of the table of file formats. */
export interface AudioCodec {
  /** Supported sample rates, ascending; absent: any. */
  readonly rates?: readonly number[]
  create(sampleRate: number): Promise<AudioEncoder>
}

/** The heap of a module compiled by Emscripten. */
export interface EmscriptenHeap {
  /** A new object after each growth of the memory. */
  readonly HEAPU8: Uint8Array
}
