import { mkdirSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { until } from "../until"
import { sha256 } from "./fake-hub"

/** Debian's `docker-registry`; undefined if it is not installed. */
const PROGRAM = Bun.which("docker-registry")

export const hasDockerRegistry = PROGRAM !== null

/** An independent implementation of the registry protocol, with its own folder. */
export class DockerRegistry implements AsyncDisposable {
  readonly host: string
  readonly #child: Bun.Subprocess

  private constructor(host: string, child: Bun.Subprocess) {
    this.host = host
    this.#child = child
  }

  static async start(folder: string): Promise<DockerRegistry> {
    const host = `127.0.0.1:${await freePort()}`
    const data = join(folder, "registry")
    mkdirSync(data, { recursive: true })
    const config = join(folder, "registry.yml")
    const storage = { filesystem: { rootdirectory: data } }
    await Bun.write(
      config,
      JSON.stringify({ version: 0.1, log: { level: "error" }, storage, http: { addr: host } }),
    )
    const child = Bun.spawn([PROGRAM ?? "docker-registry", "serve", config], {
      stdout: "ignore",
      stderr: "ignore",
    })
    const registry = new DockerRegistry(host, child)
    await until(() =>
      fetch(`http://${host}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    return registry
  }

  /** Pushes a model like Ollama: its blobs, then the manifest that names them. */
  async push(name: string, tag: string, layers: Readonly<Record<string, Uint8Array>>): Promise<void> {
    const pushed = []
    for (const [kind, content] of Object.entries(layers)) {
      pushed.push({
        mediaType: `application/vnd.ollama.image.${kind}`,
        ...(await this.#pushBlob(name, content)),
      })
    }
    const config = new TextEncoder().encode(JSON.stringify({ model_format: "gguf" }))
    const mediaType = "application/vnd.docker.distribution.manifest.v2+json"
    const configType = "application/vnd.docker.container.image.v1+json"
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, ...(await this.#pushBlob(name, config)) },
      layers: pushed,
    }
    const answer = await fetch(`http://${this.host}/v2/${name}/manifests/${tag}`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: JSON.stringify(manifest),
    })
    if (!answer.ok) throw new Error(`the registry refuses the manifest: ${await answer.text()}`)
  }

  async #pushBlob(
    name: string,
    content: Uint8Array,
  ): Promise<{ readonly digest: string; readonly size: number }> {
    const digest = `sha256:${sha256(content)}`
    const begun = await fetch(`http://${this.host}/v2/${name}/blobs/uploads/`, { method: "POST" })
    const place = new URL(begun.headers.get("location") ?? "", `http://${this.host}`)
    place.searchParams.set("digest", digest)
    const ended = await fetch(place.href, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: content,
    })
    if (!ended.ok) throw new Error(`the registry refuses a blob: ${await ended.text()}`)
    return { digest, size: content.length }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.exited
  }
}

/** A port that was free a moment ago: the registry does not report one that it chooses itself. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
