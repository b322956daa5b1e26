import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { PackedPageFile } from "../src/http/web/bundle"

/**
 * Writes the forms of the web page's files to `folder`. Returns the source of the module that takes the place of
 * src/http/web/embedded.ts in the executable.
 */
export async function packPage(files: readonly PackedPageFile[], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const imports: string[] = []
  const entries = await Promise.all(
    files.map(async ({ forms, ...file }) => {
      const places = await Promise.all(
        Object.entries(forms).map(async ([form, bytes]) => {
          // A neutral ending: the bundler must not look at what is inside.
          const path = join(folder, `${file.name}.${file.tag}.${form}.bin`)
          await Bun.write(path, bytes)
          const place = `file${imports.length}`
          imports.push(`import ${place} from ${JSON.stringify(path)} with { type: "file" }`)
          return `${form}: Bun.file(${place})`
        }),
      )
      return `{ ...${JSON.stringify(file)}, forms: { ${places.join(", ")} } }`
    }),
  )
  return `${imports.join("\n")}
const files = [${entries.join(",\n")}]
export const loadPage = async () => files
`
}
