/** Names of symbol versions, as they stand in an ELF file's table of strings. */
const VERSION = /\0(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)(?=\0)/g

/** The versions of the C and C++ libraries that one library needs and another one's newest is older than. */
export async function newerVersions(library: string, reference: string): Promise<string[]> {
  const allowed = await newestVersions(reference)
  return [...(await newestVersions(library))]
    .filter(([name, version]) => Bun.semver.order(whole(version), whole(allowed.get(name) ?? "0")) > 0)
    .map(([name, version]) => `${name}_${version}`)
}

async function newestVersions(path: string): Promise<Map<string, string>> {
  const newest = new Map<string, string>()
  for (const [, name = "", version = ""] of Buffer.from(await Bun.file(path).arrayBuffer())
    .toString("latin1")
    .matchAll(VERSION)) {
    if (Bun.semver.order(whole(version), whole(newest.get(name) ?? "0")) > 0) newest.set(name, version)
  }
  return newest
}

/** With the three numbers that a comparison wants. */
function whole(version: string): string {
  return [...version.split("."), "0", "0"].slice(0, 3).join(".")
}
