import { afterAll, describe, expect, test } from "bun:test"
import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { InvalidModelFile } from "../../../src/errors/model"
import { isNpz, readNpz } from "../../../src/formats/speech/npz"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** An array as NumPy writes it. */
function npy(values: Float32Array, type = "<f4"): Buffer {
  const words = `{'descr': '${type}', 'fortran_order': False, 'shape': (${values.length},), }`
  const header = `${words.padEnd(117)}\n`
  const head = Buffer.alloc(10)
  head.write("\x93NUMPY\x01\x00", "latin1")
  head.writeUInt16LE(header.length, 8)
  return Buffer.concat([head, Buffer.from(header), Buffer.from(values.buffer)])
}

/** An archive of them. */
function npz(arrays: Readonly<Record<string, Buffer>>, { deflate = false } = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(arrays)) {
    const data = deflate ? Buffer.from(Bun.deflateSync(new Uint8Array(content))) : content
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    local.writeUInt16LE(deflate ? 8 : 0, 8)
    local.writeUInt16LE(name.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50)
    entry.writeUInt16LE(deflate ? 8 : 0, 10)
    entry.writeUInt32LE(data.length, 20)
    entry.writeUInt32LE(content.length, 24)
    entry.writeUInt16LE(name.length, 28)
    entry.writeUInt32LE(offset, 42)
    directory.push(entry, Buffer.from(name))
    locals.push(local, Buffer.from(name), data)
    offset += 30 + name.length + data.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(Object.keys(arrays).length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

function write(name: string, content: Uint8Array): string {
  const path = join(folder.path, name)
  writeFileSync(path, content)
  return path
}

const values = Float32Array.of(1, 2.5, -3)

describe("an archive of NumPy arrays", () => {
  test.each([false, true])("gives the place of each array's numbers (deflated: %p)", async (deflate) => {
    const path = write("voices.bin", npz({ "a.npy": npy(values), "b.npy": npy(values) }, { deflate }))
    expect(await isNpz(path)).toBe(true)
    const arrays = await readNpz(path)
    expect(arrays.map(({ name }) => name)).toEqual(["a", "b"])
    for (const { part, bytes: size } of arrays) {
      expect(size).toBe(values.byteLength)
      const bytes = await Bun.file(path)
        .slice(part.start, part.start + part.size)
        .bytes()
      const content = part.inflatedBytes === undefined ? bytes : Bun.inflateSync(bytes)
      expect(content).toHaveLength(part.inflatedBytes ?? part.size)
      expect([...new Float32Array(content.slice(part.skip).buffer)]).toEqual([...values])
    }
  })

  test("is not what any other table is", async () => {
    expect(await isNpz(write("styles.bin", new Uint8Array(64)))).toBe(false)
  })

  test("is refused with numbers of another type", async () => {
    expect(readNpz(write("double.npz", npz({ "a.npy": npy(values, "<f8") })))).rejects.toThrow(
      /32-bit floats/,
    )
  })

  test("is refused where an array grows beyond any, or beyond what the directory says", async () => {
    const large = npy(new Float32Array(5_000_000))
    expect(readNpz(write("large.npz", npz({ "a.npy": large }, { deflate: true })))).rejects.toThrow(
      "a.npy is larger than 16777216 bytes",
    )
    const archive = npz({ "a.npy": npy(values) }, { deflate: true })
    // The size in the directory: less than comes out.
    const directory = archive.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]))
    archive.writeUInt32LE(20, directory + 24)
    expect(readNpz(write("bomb.npz", archive))).rejects.toThrow("a.npy is damaged")
  })

  test("is refused at whatever byte it is cut off", async () => {
    const whole = npz({ "a.npy": npy(values) })
    const path = write("cut.npz", whole)
    for (let length = whole.length - 1; length >= 0; length -= 5) {
      truncateSync(path, length)
      expect(await readNpz(path).catch((error: unknown) => error)).toBeInstanceOf(InvalidModelFile)
    }
  })

  test("neither hangs nor crashes with any byte changed", async () => {
    const whole = npz({ "a.npy": npy(values) }, { deflate: true })
    for (let at = 0; at < whole.length; at++) {
      const changed = Uint8Array.from(whole)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      const outcome = await readNpz(write("changed.npz", changed)).catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(InvalidModelFile)
    }
  })
})
