import { writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"

/** From Debian's `prometheus` package; undefined if it is not installed. */
export const promtool = Bun.which("promtool")
const prometheus = Bun.which("prometheus")

/** The reason for skipping tests with a real Prometheus; undefined if they run. */
export const noPrometheus =
  promtool === null || prometheus === null
    ? "skipped: Debian's package prometheus is not installed"
    : undefined

export interface RunningPrometheus extends AsyncDisposable {
  /** The value of a query's single result; undefined if there is none yet. */
  query(expression: string): Promise<number | undefined>
}

export interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  /** Sent as a bearer token. */
  readonly key?: string
}

/** A Prometheus that scrapes one server twice a second and stores its data in `folder`. */
export async function startPrometheus(folder: string, target: Target): Promise<RunningPrometheus> {
  const port = await freePort()
  const configuration = join(folder, "prometheus.json")
  // JSON is valid YAML.
  writeFileSync(configuration, JSON.stringify({ scrape_configs: [scrapeConfig(target)] }))
  const child = Bun.spawn(
    [
      prometheus ?? "prometheus",
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
    ],
    { stdout: "ignore", stderr: "ignore" },
  )
  return {
    async query(expression) {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`
      const response = await fetch(url).catch(() => undefined)
      if (response?.ok !== true) return undefined
      // Prometheus's documented answer to an instant query.
      const body = (await response.json()) as { data: { result: { value: [number, string] }[] } }
      const value = body.data.result[0]?.value[1]
      return value === undefined ? undefined : Number(value)
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}

function scrapeConfig({ host, port, path, key }: Target) {
  return {
    job_name: "xllm",
    scrape_interval: "500ms",
    scrape_timeout: "500ms",
    metrics_path: path,
    static_configs: [{ targets: [`${host}:${port}`] }],
    ...(key !== undefined && { authorization: { credentials: key } }),
  }
}

/** A port that was free a moment ago: Prometheus does not report one that it chooses itself. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
