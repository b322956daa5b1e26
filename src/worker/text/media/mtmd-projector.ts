import { InternalError } from "../../../errors/base"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import type { LibraryFiles } from "../../../llama/library"
import type { EncodedChunk, MediaChunk, MediaContent, Mtmd } from "../../../llama/mtmd"
import type { MediaUnit, PromptUnit } from "../prompt/cells"
import { Encoder } from "./encoder"
import type { MeasuredMedia, Pixels } from "./media-reader"
import type { EncodedUnit, Projector } from "./projector"

/** The library ends the process at sides above 46,000, also those of its own enlarged copies. */
const MOST_SIDE = 16_384

/** Layouts are kept by the size of what they stand for: nothing else changes them. */
const KEPT_LAYOUTS = 256

/** Pictures by whose layouts the largest unit is found: tiny, of usual sizes, and of odd shapes. */
const PROBED_SIZES: readonly (readonly [width: number, height: number])[] = [
  ...[1, 64, 224, 512, 896, 1024, 2048, 4096].map((side) => [side, side] as const),
  ...([
    [4032, 3024],
    [3024, 4032],
    [MOST_SIDE, 1024],
    [1024, MOST_SIDE],
    [MOST_SIDE, 64],
    [64, MOST_SIDE],
  ] as const),
]

/** Longer sounds are divided into units by the library. */
const PROBED_SECONDS = 30

export interface MtmdProjectorParts {
  readonly mtmd: Mtmd
  readonly files: LibraryFiles
  /** The path of libmtmd. */
  readonly library: string
  /** The most tokens of a picture. */
  readonly mostTokens: number
  /** Threads for encoding, while nothing else computes and while sequences decode. */
  readonly threads: { readonly alone: number; readonly beside: number }
}

/** A projector that libmtmd computes. */
export class MtmdProjector implements Projector {
  readonly #parts: MtmdProjectorParts
  readonly #encoder: Encoder
  readonly #layouts = new Map<string, readonly MediaChunk[]>()
  readonly mostCells: number
  /** The picture and the sound that need most of the buffers. */
  readonly #largest: readonly MediaContent[]

  constructor(parts: MtmdProjectorParts) {
    const { mtmd, files, library } = parts
    this.#parts = parts
    this.#encoder = new Encoder(files, library, mtmd.share())
    const largest = this.#findLargest()
    this.mostCells = Math.max(0, ...largest.map(({ cells }) => cells))
    this.#largest = largest.map(({ content }) => content)
  }

  get sees(): boolean {
    return this.#parts.mtmd.sees
  }

  get hears(): boolean {
    return this.#parts.mtmd.hears
  }

  get sampleRate(): number {
    return this.#parts.mtmd.sampleRate
  }

  get isWhole(): boolean {
    return this.#parts.mtmd.isWhole
  }

  get width(): number {
    return this.#parts.mtmd.width
  }

  get bytes(): number {
    const { hostBytes, deviceBytes } = this.#parts.mtmd.memory()
    return hostBytes + deviceBytes
  }

  /** Allocates what encoding the largest picture needs. @returns false if there is not enough memory */
  reserve(): boolean {
    return this.#largest.every((content) => this.#parts.mtmd.reserve(content))
  }

  /** Encodes the smallest picture or sound now. @returns false if that fails */
  test(): boolean {
    const { mtmd } = this.#parts
    const content = this.sees
      ? { width: 32, height: 32, rgb: new Uint8Array(32 * 32 * 3) }
      : { samples: this.sampleRate, pcm: new Float32Array(this.sampleRate) }
    return mtmd.encode(content) !== undefined
  }

  plan(media: MeasuredMedia): readonly PromptUnit[] {
    const chunks = this.#layOut(sizeOf(media))
    if (chunks === undefined) throw refusal(media)
    // The library does not mind; a batch with such a token fails.
    if (chunks.some((chunk) => chunk instanceof Int32Array && chunk.some((token) => token < 0)))
      throw new Unsupported(
        `${described(media)} cannot be shown to the model: its projector puts tokens around it that the model does not have`,
        "messages",
      )
    return unitsOf(chunks, media, this.#parts.mostTokens)
  }

  async encode(
    media: MeasuredMedia,
    content: Pixels | Float32Array,
    signal: AbortSignal,
    besideOthers = false,
  ): Promise<readonly EncodedUnit[]> {
    const { threads } = this.#parts
    const units = this.plan(media).filter((unit): unit is MediaUnit => !(unit instanceof Int32Array))
    const chunks = await this.#encoder.encode(
      contentOf(content),
      besideOthers ? threads.beside : threads.alone,
      signal,
    )
    // Some shapes are refused only when there are pixels: those that would have no height once they are resized.
    if (chunks === undefined) throw refusal(media)
    return units.map((unit, index) => toUnit(unit, chunks[index], this.width))
  }

  close(): void {
    this.#encoder.close()
  }

  #layOut(content: MediaContent): readonly MediaChunk[] | undefined {
    const key = "samples" in content ? `${content.samples}` : `${content.width}x${content.height}`
    const known = this.#layouts.get(key)
    if (known !== undefined) return known
    if (!isBearable(content)) return undefined
    const chunks = this.#parts.mtmd.layOut(content)
    if (chunks === undefined) return undefined
    if (this.#layouts.size >= KEPT_LAYOUTS) this.#layouts.clear()
    this.#layouts.set(key, chunks)
    return chunks
  }

  /** A picture and a sound of those that it takes, each with the most cells of one unit. */
  #findLargest(): readonly { readonly cells: number; readonly content: MediaContent }[] {
    const { sees, hears, sampleRate } = this
    const pictures = sees ? PROBED_SIZES.map(([width, height]) => ({ width, height })) : []
    const sounds = hears ? [{ samples: PROBED_SECONDS * sampleRate }] : []
    return [pictures, sounds].flatMap((contents: readonly MediaContent[]) =>
      contents
        .map((content) => ({ content, cells: mostCellsOf(this.#layOut(content) ?? []) }))
        .sort((a, b) => b.cells - a.cells)
        .slice(0, 1),
    )
  }
}

function mostCellsOf(chunks: readonly MediaChunk[]): number {
  return Math.max(0, ...chunks.map((chunk) => ("cells" in chunk ? chunk.cells : 0)))
}

function isBearable(content: MediaContent): boolean {
  if ("samples" in content) return content.samples > 0
  const { width, height } = content
  return Math.min(width, height) >= 1 && Math.max(width, height) <= MOST_SIDE
}

function sizeOf({ width, height, samples }: MeasuredMedia): MediaContent {
  return samples === undefined ? { width, height } : { samples }
}

function contentOf(content: Pixels | Float32Array): MediaContent {
  return content instanceof Float32Array ? { samples: content.length, pcm: content } : content
}

function refusal(media: MeasuredMedia): InvalidRequest {
  return new InvalidRequest(
    `${described(media)} cannot be shown to the model; give it another size or shape`,
    "messages",
  )
}

function described({ width, height, samples }: MeasuredMedia): string {
  return samples === undefined ? `a picture of ${width} × ${height} pixels` : `a sound of ${samples} samples`
}

function unitsOf(
  chunks: readonly MediaChunk[],
  { digest }: MeasuredMedia,
  mostTokens: number,
): readonly PromptUnit[] {
  return chunks.map((chunk, index) => {
    if (chunk instanceof Int32Array) return chunk
    const hasher = new Bun.CryptoHasher("sha256").update(digest).update(`${index} of at most ${mostTokens}`)
    return { digest: new Uint8Array(hasher.digest()), ...chunk }
  })
}

function toUnit({ digest, cells }: MediaUnit, chunk: EncodedChunk | undefined, width: number): EncodedUnit {
  if (chunk === undefined || chunk.embeddings.length !== cells * width)
    throw new InternalError("a picture was encoded to another length than was planned")
  const { embeddings, atZero, atOne } = chunk
  return {
    digest,
    embeddings,
    positions: (start) => atZero.map((zero, index) => zero + start * ((atOne[index] ?? 0) - zero)),
  }
}
