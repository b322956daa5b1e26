import { reasonOf } from "../../../errors/base"
import { brokenAudio } from "./audio-file"
import type { Pcm } from "./pcm"

/** The result of a WebAssembly decoder. */
export interface WasmAudio {
  readonly channelData: readonly Float32Array[]
  readonly samplesDecoded: number
  readonly sampleRate: number
}

interface WasmDecoder {
  readonly ready: Promise<void>
  decode(bytes: Uint8Array): WasmAudio | Promise<WasmAudio>
  /** The remaining samples; the MPEG decoder buffers none. */
  flush?(): Promise<WasmAudio>
  free(): void
}

/**
 * Feeds `parts` to a decoder and frees it at the end.
 * @throws InvalidRequest with the decoder's message
 */
export async function* decodeParts(
  what: string,
  decoder: WasmDecoder,
  parts: Iterable<Uint8Array>,
): AsyncGenerator<Pcm> {
  await decoder.ready
  try {
    for (const part of parts) yield* toPcm(await decoded(what, () => decoder.decode(part)))
    const { flush } = decoder
    if (flush !== undefined) yield* toPcm(await decoded(what, () => flush.call(decoder)))
  } finally {
    decoder.free()
  }
}

/**
 * A member of a package by computed name. The packages refer to their classes in statements that
 * Bun's bundler keeps even if it drops the classes; with a name unknown at build time it drops nothing.
 */
export function member<T, K extends keyof T>(namespace: T, name: K): T[K] {
  return namespace[name]
}

async function decoded(what: string, decode: () => WasmAudio | Promise<WasmAudio>): Promise<WasmAudio> {
  try {
    return await decode()
  } catch (error) {
    throw brokenAudio(`its ${what} is damaged (${reasonOf(error)})`)
  }
}

function* toPcm({ channelData, samplesDecoded, sampleRate }: WasmAudio): Generator<Pcm> {
  if (samplesDecoded > 0) yield { channels: channelData, sampleRate }
}
