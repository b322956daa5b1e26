// Makes the project ready to use after a clone or a pull; runs in plain Node.js, before anything is installed.
// It takes some 30 ms when there is nothing to do.
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
  // npm 11.16 and later do not run a package's install script unless it is allowed, and bun's fetches its program.
  run(process.execPath, [join("node_modules", "bun", "install.js")])
  if (!bunWorks()) fail("bun could not be installed; try: node node_modules/bun/install.js")
}

/** Whether node_modules is what package-lock.json asks for, by npm's own record of what it installed. */
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

/** Before its install script ran, bun's program is a text that says so. */
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
