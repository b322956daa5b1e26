/**
 * The source of llama.cpp that the pinned libraries were built from. It is part of the package node-llama-cpp, whose
 * tarball is fetched alone, once: nothing is installed. Usage: bun scripts/llama-source.ts fetches it, with the sample
 * chat templates that tests read.
 */
import { $ } from "bun"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { optionalDependencies } from "../package.json"

/** The tarball's checksum; the release is the one that package.json pins for the libraries. */
export const SOURCE_SHA512 =
  "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="
/** In the tarball: a shallow clone as a git bundle. */
const BUNDLE = "package/llama/gitRelease.bundle"
const TEMPLATES = "models/templates"

const release = optionalDependencies["@node-llama-cpp/linux-x64"]
const specifier = `node-llama-cpp@${release}`
const cache = join(import.meta.dir, "../.cache")

if (import.meta.main) console.log(`llama.cpp's source: ${await llamaSource([TEMPLATES])}`)

/** The folder of the git repository, in which these paths are checked out. */
export async function llamaSource(paths: readonly string[]): Promise<string> {
  const target = join(cache, `llama-source-${release}`)
  if (!existsSync(join(target, ".git"))) await fetchSource(target)
  if (!paths.every((path) => existsSync(join(target, path))))
    await $`git checkout --quiet HEAD -- ${paths}`.cwd(target)
  return target
}

async function fetchSource(target: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, "llama-source.partial-"))
  try {
    const tarball = join(work, (await $`npm pack ${specifier} --silent`.cwd(work).text()).trim())
    await mustMatch(tarball)
    await $`tar -xzf ${tarball} -C ${work} ${BUNDLE}`
    const source = join(work, "source")
    await $`git clone --quiet --no-checkout ${join(work, BUNDLE)} ${source}`
    await rm(target, { recursive: true, force: true })
    await rename(source, target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function mustMatch(tarball: string): Promise<void> {
  const hash = new Bun.CryptoHasher("sha512").update(await Bun.file(tarball).arrayBuffer()).digest("base64")
  if (hash !== SOURCE_SHA512)
    throw new Error(`checksum mismatch: the tarball of ${specifier} has sha512-${hash}`)
}
