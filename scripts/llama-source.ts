/**
 * Fetches the source of llama.cpp that the pinned libraries were built from, once, into .cache/llama-source-RELEASE: its git
 * repository, and the sample chat templates that tests read. It is part of the package node-llama-cpp, whose tarball
 * is fetched alone: nothing is installed. Usage: bun scripts/llama-source.ts
 */
import { $ } from "bun"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { optionalDependencies } from "../package.json"

/** The tarball's checksum; the release is the one that package.json pins for the libraries. */
const SHA512 = "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="
/** In the tarball: a shallow clone as a git bundle. */
const BUNDLE = "package/llama/gitRelease.bundle"
const TEMPLATES = "models/templates"

const release = optionalDependencies["@node-llama-cpp/linux-x64"]
const specifier = `node-llama-cpp@${release}`
const cache = join(import.meta.dir, "../.cache")
const target = join(cache, `llama-source-${release}`)

if (existsSync(join(target, TEMPLATES))) console.log(`llama.cpp's source is there already: ${target}`)
else await fetchSource()

async function fetchSource(): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, "llama-source.partial-"))
  try {
    const tarball = join(work, (await $`npm pack ${specifier} --silent`.cwd(work).text()).trim())
    await mustMatch(tarball)
    await $`tar -xzf ${tarball} -C ${work} ${BUNDLE}`
    const source = join(work, "source")
    await $`git clone --quiet --no-checkout ${join(work, BUNDLE)} ${source}`
    await $`git checkout --quiet HEAD -- ${TEMPLATES}`.cwd(source)
    await rm(target, { recursive: true, force: true })
    await rename(source, target)
    console.log(`llama.cpp's source: ${target}`)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function mustMatch(tarball: string): Promise<void> {
  const hash = new Bun.CryptoHasher("sha512").update(await Bun.file(tarball).arrayBuffer()).digest("base64")
  if (hash !== SHA512) throw new Error(`checksum mismatch: the tarball of ${specifier} has sha512-${hash}`)
}
