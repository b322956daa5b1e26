import type { Subprocess } from "bun"
import { PICTURES } from "../../../limits"
import type { MeasuredFile, PictureAnswer, PictureJob } from "../../picture/protocol"

/** How long an unused process stays. */
const IDLE_MS = 60_000

const LINE_END = 0x0a

/** What a job failed with; its message continues a sentence. */
export class PictureFailure extends Error {}

interface Waiting {
  readonly job: PictureJob
  readonly resolve: (answer: PictureResult) => void
  readonly reject: (error: Error) => void
}

export interface PictureResult extends MeasuredFile {
  readonly content: Uint8Array
}

type Child = Subprocess<"pipe", "pipe", "ignore">

/**
 * The process that decodes pictures and sounds: started when it is needed, ended when it is idle, and started again
 * when a file has brought it down, which costs that file's request only.
 */
export class PictureProcess {
  readonly #command: readonly string[]
  readonly #timeoutMs: number
  /** The process works on the first one. */
  readonly #waiting: Waiting[] = []
  #child: Child | undefined
  #received: Uint8Array[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(command: readonly string[], timeoutMs = PICTURES.seconds * 1000) {
    this.#command = command
    this.#timeoutMs = timeoutMs
  }

  /** @throws PictureFailure */
  async run(job: PictureJob): Promise<PictureResult> {
    const { promise, resolve, reject } = Promise.withResolvers<PictureResult>()
    this.#waiting.push({ job, resolve, reject })
    if (this.#waiting.length === 1) this.#next()
    return await promise
  }

  close(): void {
    clearTimeout(this.#timer)
    const child = this.#child
    this.#child = undefined
    child?.kill("SIGKILL")
    for (const { reject } of this.#waiting.splice(0)) reject(new PictureFailure("the model is unloaded"))
  }

  #next(): void {
    clearTimeout(this.#timer)
    const [first] = this.#waiting
    if (first === undefined) {
      this.#timer = setTimeout(() => this.close(), IDLE_MS)
      this.#timer.unref()
      return
    }
    this.#timer = setTimeout(
      () => this.#fail(`it takes longer than ${this.#timeoutMs / 1000} s`),
      this.#timeoutMs,
    )
    try {
      this.#child ??= this.#start()
      this.#child.stdin.write(`${JSON.stringify(first.job)}\n`)
      void this.#child.stdin.flush()
    } catch (error) {
      this.#fail(`its decoder cannot be started (${String(error)})`)
    }
  }

  #start(): Child {
    const child = Bun.spawn({
      cmd: [...this.#command, String(process.pid)],
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    })
    this.#received = []
    void this.#read(child)
    return child
  }

  async #read(child: Child): Promise<void> {
    try {
      for await (const bytes of child.stdout) if (child === this.#child) this.#receive(bytes)
    } catch {
      // It ended: the same as below.
    }
    if (child === this.#child) this.#fail("it brought its decoder down")
  }

  /** The first job fails; the process is replaced. */
  #fail(reason: string): void {
    const child = this.#child
    this.#child = undefined
    child?.kill("SIGKILL")
    this.#waiting.shift()?.reject(new PictureFailure(reason))
    this.#next()
  }

  #receive(bytes: Uint8Array): void {
    this.#received.push(bytes)
    const answer = takeAnswer(this.#received)
    if (answer === undefined) return
    this.#received = []
    const waiting = this.#waiting.shift()
    if ("failure" in answer.header) waiting?.reject(new PictureFailure(answer.header.failure))
    else waiting?.resolve({ ...answer.header, content: answer.content })
    this.#next()
  }
}

/** `undefined`: it is not complete. There is never more than one, as jobs are sent one by one. */
function takeAnswer(
  received: Uint8Array[],
): { readonly header: PictureAnswer; readonly content: Uint8Array } | undefined {
  const end = received[0]?.indexOf(LINE_END) ?? -1
  if (end === -1) {
    // The first line in one piece.
    if (received.length > 1) received.splice(0, received.length, Buffer.concat(received))
    if ((received[0]?.indexOf(LINE_END) ?? -1) === -1) return undefined
    return takeAnswer(received)
  }
  // Both sides are the same program.
  const header = JSON.parse(new TextDecoder().decode(received[0]?.subarray(0, end))) as PictureAnswer
  const length = received.reduce((sum, { length }) => sum + length, 0) - end - 1
  if (length < header.bytes) return undefined
  const content = new Uint8Array(header.bytes)
  let [at, skipped] = [0, end + 1]
  for (const bytes of received) {
    content.set(bytes.subarray(skipped), at)
    at += bytes.length - skipped
    skipped = 0
  }
  return { header, content }
}
