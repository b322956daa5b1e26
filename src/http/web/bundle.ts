import { join } from "node:path"
import { promisify } from "node:util"
import { brotliCompress, constants, gzip } from "node:zlib"
import { FILES_PATH, INDEX } from "./page-file"

/** A packed file before it has a place. */
export interface PackedPageFile {
  readonly name: string
  readonly type: string
  readonly tag: string
  readonly forms: {
    readonly identity: Uint8Array<ArrayBuffer>
    readonly gzip?: Uint8Array<ArrayBuffer>
    readonly br?: Uint8Array<ArrayBuffer>
  }
}

/** How long to try to make the files smaller; the executable is worth more time than a run from the sources. */
export type PackEffort = "fast" | "small"

const LEVELS = {
  fast: { gzip: 1, br: 1 },
  small: { gzip: 9, br: 11 },
} as const satisfies Readonly<Record<PackEffort, object>>

const HASHED = "[name]-[hash].[ext]"

/** Bundles src/web for browsers, and compresses each file once for all requests. */
export async function bundlePage(effort: PackEffort): Promise<readonly PackedPageFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, "../../web/index.html")],
    target: "browser",
    format: "esm",
    splitting: true,
    minify: true,
    sourcemap: "none",
    publicPath: FILES_PATH,
    naming: { entry: HASHED, chunk: HASHED, asset: HASHED },
    define: { "process.env.NODE_ENV": '"production"' },
  })
  const files = await Promise.all(
    outputs.map(async (output) => {
      const name = output.path.slice(output.path.lastIndexOf("/") + 1)
      return {
        name: name.endsWith(".html") ? INDEX : name,
        bytes: new Uint8Array(await output.arrayBuffer()),
      }
    }),
  )
  const page = new TextDecoder().decode(files.find(({ name }) => name === INDEX)?.bytes)
  // Styles of parts that are loaded later are merged into the page's own; the bundler writes them a second time.
  const needed = files.filter(({ name }) => !name.endsWith(".css") || page.includes(name))
  return await Promise.all(needed.map(({ name, bytes }) => pack(name, bytes, effort)))
}

async function pack(
  name: string,
  identity: Uint8Array<ArrayBuffer>,
  effort: PackEffort,
): Promise<PackedPageFile> {
  const levels = LEVELS[effort]
  const [gz, br] = await Promise.all([
    promisify(gzip)(identity, { level: levels.gzip }),
    promisify(brotliCompress)(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: levels.br } }),
  ])
  return {
    name,
    type: Bun.file(name).type,
    tag: new Bun.CryptoHasher("sha256").update(identity).digest("hex").slice(0, 20),
    forms: {
      identity,
      ...(gz.length < identity.length && { gzip: new Uint8Array(gz) }),
      ...(br.length < identity.length && { br: new Uint8Array(br) }),
    },
  }
}
