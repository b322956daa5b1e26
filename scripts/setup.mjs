// Makes the project ready to use after a clone or a pull. Runs in plain Node.js, before anything is installed, and
// takes about 30 ms if there is nothing to do.
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")

if (!isInstalled()) {
  console.log("installing dependencies: npm ci")
  run("npm", ["ci", "--no-audit", "--no-fund"])
}
if (!bunWorks()) {
  // npm 11.16 and later run install scripts only if allowed; bun's downloads its program.
  run(process.execPath, [join("node_modules", "bun", "install.js")])
  if (!bunWorks()) fail("bun could not be installed; try: node node_modules/bun/install.js")
}

/** Does node_modules match package-lock.json, according to npm's own record of what it installed? */
function isInstalled() {
  const wanted = packagesIn("package-lock.json")
  const installed = packagesIn(join("node_modules", ".package-lock.json"))
  if (!wanted || !installed) return false
  const { "": project, ...packages } = wanted
  const ownOptional = Object.keys(project.optionalDependencies ?? {}).map((name) => `node_modules/${name}`)
  return Object.entries(packages).every(([path, entry]) => {
    const found = installed[path]
    if (found) return found.version === entry.version
    return entry.optional === true && !(ownOptional.includes(path) && isForThisPlatform(entry))
  })
}

function isForThisPlatform({ os, cpu }) {
  return (!os || os.includes(process.platform)) && (!cpu || cpu.includes(process.arch))
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8")).packages
  } catch {
    return undefined
  }
}

/** Before its install script has run, bun's program is a placeholder text. */
function bunWorks() {
  return spawnSync(join(root, "node_modules", ".bin", "bun"), ["--version"]).status === 0
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" })
  if (status !== 0) fail(`${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}`)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
