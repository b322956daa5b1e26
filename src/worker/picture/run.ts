import { readFileSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { asXllmError, reasonOf, XllmError } from "../../errors/base"
import { endWithParent } from "../lifetime"
import { measurePicture, readPicture, Unreadable } from "./picture"
import type { MeasuredFile, PictureAnswer, PictureJob } from "./protocol"
import { readSound } from "./sound"

const STDOUT = 1

interface Done {
  readonly measured: MeasuredFile
  readonly content?: Uint8Array
}

/**
 * Decodes pictures and sounds for the process that started it: what a hostile file can do to a decoder ends here.
 * One job at a time, until its input ends.
 */
export async function runPictureWorker([parentPid]: readonly string[]): Promise<void> {
  endWithParent(Number(parentPid))
  for await (const line of createInterface({ input: process.stdin })) {
    // Both sides are the same program.
    await answer(JSON.parse(line) as PictureJob)
  }
  process.exit(0)
}

async function answer(job: PictureJob): Promise<void> {
  try {
    const { measured, content = new Uint8Array() } = await done(job)
    write({ ...measured, bytes: content.length }, content)
  } catch (error) {
    write({ failure: wordsOf(error), bytes: 0 }, new Uint8Array())
  }
}

async function done(job: PictureJob): Promise<Done> {
  switch (job.do) {
    case "measure-picture":
      return { measured: await measurePicture(readFileSync(job.path), job.detail) }
    case "read-picture": {
      const { measured, rgb } = await readPicture(readFileSync(job.path), job.detail)
      return { measured, content: rgb }
    }
    case "measure-sound":
      return { measured: (await readSound(job.path, job.rate)).measured }
    case "read-sound": {
      const { measured, samples } = await readSound(job.path, job.rate)
      return { measured, content: new Uint8Array(samples.buffer) }
    }
    default:
      return job satisfies never
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message
  return error instanceof XllmError ? asXllmError(error).message : reasonOf(error)
}

/** Synchronously: an answer is complete before the next job begins. */
function write(header: PictureAnswer, content: Uint8Array): void {
  writeAll(Buffer.from(`${JSON.stringify(header)}\n`))
  writeAll(content)
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at)
}
