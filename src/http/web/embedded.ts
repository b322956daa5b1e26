import { bundlePage } from "./bundle"
import type { PageFile } from "./page-file"

/**
 * The files of the web page. In development they are bundled when they are first needed; build.ts puts packed ones in
 * place of this file.
 */
export async function loadPage(): Promise<readonly PageFile[]> {
  const files = await bundlePage("fast")
  return files.map(({ forms: { identity, gzip, br }, ...file }) => ({
    ...file,
    forms: {
      identity: new Blob([identity]),
      ...(gzip !== undefined && { gzip: new Blob([gzip]) }),
      ...(br !== undefined && { br: new Blob([br]) }),
    },
  }))
}
