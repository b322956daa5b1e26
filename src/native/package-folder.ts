import { dirname, join } from "node:path"

/** The folder of libraries inside an installed package, or `undefined` where it is not installed. */
export function packageFolder(name: string): string | undefined {
  try {
    const entry = Bun.resolveSync(name, import.meta.dir)
    return join(dirname(entry), "../bins", name.slice(name.indexOf("/") + 1))
  } catch {
    return undefined
  }
}
