import { reasonOf } from "../../../errors/base"
import { brokenAudio } from "./audio-file"
import type { Pcm } from "./pcm"

/** What the WebAssembly decoders give back. */
export interface WasmAudio {
  readonly channelData: readonly Float32Array[]
  readonly samplesDecoded: number
  readonly sampleRate: number
}

interface WasmDecoder {
  readonly ready: Promise<void>
  decode(bytes: Uint8Array): WasmAudio | Promise<WasmAudio>
  /** The samples of what came last; the MPEG decoder keeps none back. */
  flush?(): Promise<WasmAudio>
  free(): void
}

/**
 * Feeds `parts` to a decoder and frees it in the end.
 * @throws InvalidRequest with the decoder's own words
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
 * A member of a package by a computed name. The packages name their classes in statements that Bun's bundler keeps
 * although it has left the classes out; with a name that it cannot see it leaves nothing out.
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
