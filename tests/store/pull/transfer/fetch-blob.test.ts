import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { readdirSync } from "node:fs"
import { ChecksumMismatch, DownloadFailed, NotAuthorized } from "../../../../src/errors/store"
import { Semaphore } from "../../../../src/lib/async/semaphore"
import { createStore } from "../../../../src/store"
import type { Blobs } from "../../../../src/store/contract"
import { fetchBlob, type FetchOptions } from "../../../../src/store/pull/transfer/fetch-blob"
import { HttpClient } from "../../../../src/store/pull/transfer/http-client"
import type { RemoteFile } from "../../../../src/store/pull/transfer/remote-file"
import type { Patience } from "../../../../src/store/pull/transfer/retry"
import { FaultyServer, type SeenRequest } from "../../../support/fakes/faulty-server"
import { someBytes } from "../../../support/files/some-bytes"
import { tempFolder } from "../../../support/temp-folder"

const MB = 1024 ** 2
const HASTY: Patience = {
  attempts: 4,
  firstDelayMs: 1,
  longestDelayMs: 4,
  longestRetryAfterMs: 1000,
  stallMs: 20_000,
}

function digestOf(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`
}

interface Scene extends AsyncDisposable {
  readonly server: FaultyServer
  readonly blobs: Blobs
  file(overrides?: Partial<RemoteFile>): RemoteFile
  fetch(file?: RemoteFile, overrides?: Partial<FetchOptions>): ReturnType<typeof fetchBlob>
  readonly notes: string[]
  readonly progress: number[]
  /** What is in the folder of partial files. */
  partials(): readonly string[]
  bytes: Uint8Array
}

async function scene(bytes = someBytes(18 * MB)): Promise<Scene> {
  const folder = tempFolder()
  const current = { bytes, etag: '"v1"' }
  const server = await FaultyServer.start((_request, exchange) =>
    exchange.file(result.bytes, etagOf(result.bytes)),
  )
  const etagOf = (what: Uint8Array) => `"${digestOf(what).slice(7, 23)}"`
  const { blobs } = createStore({ modelsFolder: folder.path })
  const client = new HttpClient({ allowsPlain: () => true, acceptsAnyCertificate: false }, 2000)
  const connections = new Semaphore(8)
  const notes: string[] = []
  const progress: number[] = []
  const result: Scene = {
    server,
    blobs,
    bytes: current.bytes,
    notes,
    progress,
    file: (overrides) => ({
      label: "model.gguf",
      reference: "test/model.gguf",
      url: `${server.url}/model.gguf`,
      sizeBytes: result.bytes.length,
      digest: digestOf(result.bytes),
      access: { authorization: () => Promise.resolve(undefined) },
      ...overrides,
    }),
    fetch: (file = result.file(), overrides) =>
      fetchBlob(file, {
        blobs,
        client,
        connections,
        mostConnections: 4,
        patience: HASTY,
        signal: new AbortController().signal,
        onProgress: (completed) => progress.push(completed),
        onWait: () => {},
        onNote: (note) => notes.push(note),
        ...overrides,
      }),
    partials: () => {
      try {
        return readdirSync(blobs.partialFolder)
      } catch {
        return []
      }
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
  return result
}

async function storedBytes(blobs: Blobs, digest: `sha256:${string}`): Promise<Uint8Array> {
  return await Bun.file(blobs.pathOf(digest)).bytes()
}

/** The first requests of each path go wrong. */
function firstTimes(times: number, fault: (request: SeenRequest) => object) {
  let left = times
  return (request: SeenRequest) => (left-- > 0 ? fault(request) : undefined)
}

describe("a download", () => {
  test("comes in parts, in more than one connection, and nothing is fetched twice", async () => {
    await using it = await scene()
    const blob = await it.fetch()
    expect(blob).toEqual({ digest: digestOf(it.bytes), sizeBytes: it.bytes.length })
    expect(await storedBytes(it.blobs, blob.digest)).toEqual(it.bytes)
    expect(it.server.sent()).toBe(it.bytes.length)
    expect(it.server.requests.map(({ range }) => range).sort()).toEqual([
      "bytes=0-4194303",
      "bytes=12582912-16777215",
      "bytes=16777216-18874367",
      "bytes=4194304-8388607",
      "bytes=8388608-12582911",
    ])
    expect(it.progress.at(-1)).toBe(it.bytes.length)
    expect(it.partials()).toEqual([])
  })

  test.each([0, 1, 4 * MB, 4 * MB + 1])("of %d bytes is whole", async (size) => {
    await using it = await scene(someBytes(size))
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
  })

  test("of what is there already asks nobody", async () => {
    await using it = await scene(someBytes(1000))
    await it.blobs.addBytes(it.bytes)
    await it.fetch()
    expect(it.server.requests).toEqual([])
  })

  test("goes on where connections were cut, without fetching again what came", async () => {
    await using it = await scene()
    it.server.fault = firstTimes(6, () => ({ dropAfter: 700_000 }))
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
    // What a connection still had when it was cut is the only loss.
    expect(it.server.sent()).toBeLessThan(it.bytes.length + 6 * 700_000)
  })

  test("asks for less where no connection lasts", async () => {
    await using it = await scene(someBytes(5 * MB))
    it.server.fault = () => ({ dropAfter: 200_000 })
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
  })

  test("replaces a connection that brings nothing any more", async () => {
    await using it = await scene(someBytes(5 * MB))
    it.server.fault = firstTimes(2, () => ({ stallAfter: 300_000 }))
    const { digest } = await it.fetch(it.file(), { patience: { ...HASTY, attempts: 50, stallMs: 100 } })
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
  })

  test.each([429, 500, 502, 503])("tries again after %d", async (status) => {
    await using it = await scene(someBytes(1000))
    it.server.fault = firstTimes(2, () => ({ status, headers: { "retry-after": "0" } }))
    await it.fetch()
    expect(it.server.requests).toHaveLength(3)
  })

  test("does not wait for a server that asks for too much patience", async () => {
    await using it = await scene(someBytes(1000))
    it.server.fault = () => ({ status: 503, headers: { "retry-after": "3600" } })
    const failure = it.fetch()
    await expect(failure).rejects.toThrow(DownloadFailed)
    await expect(failure).rejects.toThrow("asks to retry in 3600 s")
    await failure.catch(() => {})
    expect(it.server.requests).toHaveLength(1)
  })

  test("is given up after attempts that brought nothing, and goes on the next time", async () => {
    await using it = await scene()
    it.server.fault = ({ range }) => (range?.startsWith("bytes=0-") ? undefined : { status: 500 })
    const failure = it.fetch()
    await expect(failure).rejects.toThrow("answered 500, 4 times in a row")
    await failure.catch(() => {})
    const before = it.server.sent()
    expect(before).toBeGreaterThan(0)
    it.server.fault = () => undefined
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
    // A connection that is given up with the others may have had something on its way.
    expect(it.server.sent()).toBeLessThan(it.bytes.length + MB)
  })

  test.each([401, 403])("is not tried again after %d", async (status) => {
    await using it = await scene(someBytes(1000))
    it.server.fault = () => ({ status })
    const failure = it.fetch()
    await expect(failure).rejects.toThrow(NotAuthorized)
    await failure.catch(() => {})
  })

  test("is refused where a server sends other parts than were asked for", async () => {
    await using it = await scene()
    it.server.fault = () => ({ shift: 5 })
    await expect(it.fetch()).rejects.toThrow("which were not requested")
  })

  test("that was told to stop keeps what came", async () => {
    await using it = await scene()
    const stop = new AbortController()
    it.server.onSent = () => {
      if (it.server.sent() > 6 * MB) stop.abort("SIGINT")
    }
    const failure = it.fetch(it.file(), { signal: stop.signal })
    await expect(failure).rejects.toThrow("cancelled")
    await failure.catch(() => {})
    const kept = it.progress.at(-1) ?? 0
    expect(kept).toBeGreaterThan(0)
    it.server.onSent = () => {}
    const before = it.server.requests.length
    await it.fetch()
    const sentAgain = it.server.requests.slice(before).reduce((sum, { sent }) => sum + sent, 0)
    expect(sentAgain).toBe(it.bytes.length - kept)
  })
})

describe("a server without ranges", () => {
  test("sends the file in one go", async () => {
    await using it = await scene()
    it.server.fault = () => ({ ignoreRange: true })
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
    expect(it.server.requests).toHaveLength(1)
  })

  test("is asked from the start again after the connection was cut", async () => {
    await using it = await scene(someBytes(9 * MB))
    const cut = firstTimes(2, () => ({ ignoreRange: true, dropAfter: 5 * MB }))
    it.server.fault = (request) => cut(request) ?? { ignoreRange: true }
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
    expect(it.server.requests).toHaveLength(3)
  })

  test("that had them before is understood", async () => {
    await using it = await scene()
    let asked = 0
    it.server.fault = () => ({ ignoreRange: ++asked > 2 })
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
  })

  test("and without a length is read to its end", async () => {
    await using it = await scene()
    it.server.fault = () => ({ ignoreRange: true, hideLength: true })
    const { digest, sizeBytes } = await it.fetch(it.file({ sizeBytes: undefined, digest: undefined }))
    expect(sizeBytes).toBe(it.bytes.length)
    expect(digest).toBe(digestOf(it.bytes))
  })

  test("a file of unknown length is gone on with", async () => {
    await using it = await scene(someBytes(9 * MB))
    it.server.fault = firstTimes(1, () => ({ dropAfter: 5 * MB }))
    const { digest } = await it.fetch(it.file({ sizeBytes: undefined, digest: undefined }))
    expect(digest).toBe(digestOf(it.bytes))
    expect(it.server.requests).toHaveLength(2)
  })
})

describe("what came", () => {
  test("is compared with what the source declares, and deleted where it differs", async () => {
    await using it = await scene()
    const failure = it.fetch(it.file({ digest: digestOf(someBytes(10)) }))
    await expect(failure).rejects.toThrow(ChecksumMismatch)
    await failure.catch(() => {})
    expect(it.partials()).toEqual([])
    expect(await it.blobs.has(digestOf(it.bytes))).toBe(false)
  })

  test("is compared by git's name where that is declared", async () => {
    await using it = await scene(new TextEncoder().encode("hello\n"))
    const file = it.file({ digest: undefined, gitOid: "ce013625030ba8dba906f756967f9e9ca394464a" })
    expect(await it.fetch(file)).toMatchObject({ digest: digestOf(it.bytes) })
    const other = it.file({ digest: undefined, gitOid: "0".repeat(40), reference: "other" })
    await expect(it.fetch(other)).rejects.toThrow(ChecksumMismatch)
  })

  test("of a file that has another size now is of no use", async () => {
    await using it = await scene()
    const file = it.file()
    it.bytes = someBytes(17 * MB)
    await expect(it.fetch(file)).rejects.toThrow("it has 17825792 bytes now, not 18874368")
  })

  test("of another version is replaced, which is said", async () => {
    await using it = await scene()
    it.server.fault = ({ range }) => (range?.startsWith("bytes=0-") ? undefined : { status: 404 })
    await it.fetch().catch(() => {})
    it.server.fault = () => undefined
    it.bytes = someBytes(18 * MB, 7)
    const { digest } = await it.fetch()
    expect(await storedBytes(it.blobs, digest)).toEqual(it.bytes)
    expect(it.notes).toEqual([
      "model.gguf has changed at its source since its download began; downloading it again",
    ])
    expect(it.partials()).toEqual([])
  })

  test("changes in the middle: nothing of the mixture is kept", async () => {
    await using it = await scene()
    const file = it.file({ digest: undefined })
    let asked = 0
    it.server.fault = () => {
      if (++asked === 3) it.bytes = someBytes(18 * MB, 7)
      return undefined
    }
    await expect(it.fetch(file)).rejects.toThrow("its ETag has changed")
  })
})

describe("two downloads of one file at once", () => {
  test("fetch it once", async () => {
    await using it = await scene()
    let waited = 0
    const fetch = () => it.fetch(it.file(), { onWait: () => waited++ })
    const [one, other] = await Promise.all([fetch(), fetch()])
    expect(one).toEqual(other)
    expect(waited).toBeGreaterThan(0)
    expect(it.server.sent()).toBe(it.bytes.length)
    expect(it.partials()).toEqual([])
  })

  test("fetch it once where nobody declares its checksum, and so does a later one", async () => {
    await using it = await scene()
    const file = it.file({ digest: undefined, etag: `"${digestOf(it.bytes).slice(7, 23)}"` })
    const [one, other] = await Promise.all([it.fetch(file), it.fetch(file)])
    expect(one).toEqual(other)
    expect(await it.fetch(file)).toEqual(one)
    expect(it.server.sent()).toBe(it.bytes.length)
  })
})
