/**
 * The contents of the four-byte header of an MPEG audio frame (ISO 11172-3, 2.4.1.3; ISO 13818-3 for the
 * lower rates).
 */
export interface MpegHeader {
  readonly version: 1 | 2 | 2.5
  readonly layer: 1 | 2 | 3
  /** Bits per second. */
  readonly bitrate: number
  readonly sampleRate: number
  readonly padded: boolean
  readonly mono: boolean
}

/** kbit/s by index: version 1, layers 1 to 3; then the lower rates, layer 1 and layers 2 and 3. */
const V1_L1 = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448]
const V1_L2 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384]
const V1_L3 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
const V2_L1 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256]
const V2_L23 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
const BITRATES = { 1: [V1_L1, V1_L2, V1_L3], 2: [V2_L1, V2_L23, V2_L23] } as const

/** In Hz for version 1; the other versions use a half and a quarter of these. */
const SAMPLE_RATES = [44_100, 48_000, 32_000]
const RATE_DIVISORS = { 1: 1, 2: 2, 2.5: 4 } as const

/** Parses the header of a frame at `at`; undefined if there is none. Free-format frames are not supported. */
export function mpegHeader(bytes: Uint8Array, at: number): MpegHeader | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4)
  if (a !== 0xff || (b & 0xe0) !== 0xe0) return undefined
  const version = ([2.5, undefined, 2, 1] as const)[(b >> 3) & 3]
  const layer = ([undefined, 3, 2, 1] as const)[(b >> 1) & 3]
  if (version === undefined || layer === undefined) return undefined
  const kilobits = BITRATES[version === 1 ? 1 : 2][layer - 1]?.[c >> 4]
  const baseRate = SAMPLE_RATES[(c >> 2) & 3]
  if (!kilobits || baseRate === undefined) return undefined
  return {
    version,
    layer,
    bitrate: kilobits * 1000,
    sampleRate: baseRate / RATE_DIVISORS[version],
    padded: (c & 2) !== 0,
    mono: d >> 6 === 3,
  }
}

export function samplesPerFrame({ version, layer }: MpegHeader): number {
  if (layer === 1) return 384
  return layer === 3 && version !== 1 ? 576 : 1152
}

/** Bytes from the start of a frame to the start of the next. */
export function frameLength(header: MpegHeader): number {
  const slotBytes = header.layer === 1 ? 4 : 1
  const slots = Math.floor(
    (samplesPerFrame(header) * header.bitrate) / 8 / header.sampleRate / slotBytes + (header.padded ? 1 : 0),
  )
  return slots * slotBytes
}

export function sameStream(a: MpegHeader, b: MpegHeader): boolean {
  return a.version === b.version && a.layer === b.layer && a.sampleRate === b.sampleRate
}
