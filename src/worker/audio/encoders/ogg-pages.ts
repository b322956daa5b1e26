/** Bytes of a page header before its segment table, RFC 3533. */
const HEADER_BYTES = 27
/** A packet's length is the sum of its segments, the last of which is below this. */
const FULL_SEGMENT = 255
/** Maximum number of segments per page. */
const MOST_SEGMENTS = 255

const FIRST_PAGE = 2
const LAST_PAGE = 4

const CRC_POLYNOMIAL = 0x04c11db7

export interface OggPage {
  readonly packets: readonly Uint8Array[]
  /** Sample position at the end of the last packet. */
  readonly granule: number
  readonly isFirst?: boolean
  readonly isLast?: boolean
}

/** Writes the pages of a logical Ogg stream in which no packet spans pages. */
export class OggPages {
  readonly #serial: number
  #sequence = 0

  constructor(serial: number) {
    this.#serial = serial
  }

  /** The packets must fit in a page, see {@link pagesOf}. */
  write({ packets, granule, isFirst = false, isLast = false }: OggPage): Uint8Array {
    const table = packets.flatMap(segmentTable)
    const header = Buffer.alloc(HEADER_BYTES + table.length)
    header.write("OggS", 0)
    header[5] = (isFirst ? FIRST_PAGE : 0) | (isLast ? LAST_PAGE : 0)
    header.writeBigInt64LE(BigInt(granule), 6)
    header.writeUInt32LE(this.#serial, 14)
    header.writeUInt32LE(this.#sequence++, 18)
    header[26] = table.length
    header.set(table, HEADER_BYTES)
    const page = Buffer.concat([header, ...packets])
    page.writeUInt32LE(checksum(page), 22)
    return page
  }
}

/** Groups packets into pages of at most `most` packets each. */
export function* pagesOf(
  packets: readonly Uint8Array[],
  most: number,
): Generator<Uint8Array[], void, undefined> {
  let page: Uint8Array[] = []
  let segments = 0
  for (const packet of packets) {
    const own = segmentTable(packet).length
    if (page.length > 0 && (page.length === most || segments + own > MOST_SEGMENTS)) {
      yield page
      page = []
      segments = 0
    }
    page.push(packet)
    segments += own
  }
  if (page.length > 0) yield page
}

function segmentTable({ length }: Uint8Array): number[] {
  const full = Math.floor(length / FULL_SEGMENT)
  return [...Array.from({ length: full }, () => FULL_SEGMENT), length % FULL_SEGMENT]
}

let table: Uint32Array | undefined

/** Ogg's CRC-32: not reflected, no inversion. Computed with the page's checksum field set to zero. */
function checksum(page: Uint8Array): number {
  table ??= crcTable()
  let crc = 0
  for (const byte of page) crc = ((crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0
  return crc
}

function crcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let crc = index << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ CRC_POLYNOMIAL : crc << 1
    return crc >>> 0
  })
}
