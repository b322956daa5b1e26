import { copyFile } from "node:fs/promises"
import { join } from "node:path"
import { freshBinary } from "../../../scripts/fresh-binary"

let building: Promise<string> | undefined

/** The path of an executable built from the current sources; built at most once per test run. */
export function builtBinary(): Promise<string> {
  building ??= freshBinary()
  return building
}

/** Copies the executable to a separate folder, as a user would download it. */
export async function installBinary(folder: string): Promise<string> {
  const path = join(folder, "xllm")
  await copyFile(await builtBinary(), path)
  return path
}

export interface ProgramResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** Runs a program to its end, with only `env` as its environment. */
export async function runProgram(
  command: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<ProgramResult> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { stdout, stderr, exitCode }
}
