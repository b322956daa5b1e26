import { REASONING_FIELDS } from "../../domain/settings"
import { type Address, address, webUrl } from "../address"
import { LIVE, setting } from "../setting"
import { integer, list, oneOf, orAutomatic, orNone, text, toggle } from "../values"

/** The default port of `serve` and of its clients. */
export const DEFAULT_PORT = 32769

const LOCALHOST: Address = { tls: false, hostname: "127.0.0.1", port: undefined }

const socket = orAutomatic(text("PATH"), "none")

/** How clients connect to a server. */
export const connectionSettings = {
  host: setting("server.host", address, LOCALHOST, "address of the server: HOST, HOST:PORT or a URL"),
  port: setting(
    "server.port",
    integer("N", 1, 65535),
    DEFAULT_PORT,
    `port of the server (default ${DEFAULT_PORT})`,
  ),
  socket: setting("server.socket", socket, null, "Unix socket of the server, instead of an address"),
}

/** Where `serve` listens, and who may connect. */
export const serverSettings = {
  host: setting("server.host", address, LOCALHOST, "address to listen on (default 127.0.0.1)"),
  port: setting(
    "server.port",
    integer("N", 0, 65535),
    DEFAULT_PORT,
    `port to listen on; 0 = any free port (default ${DEFAULT_PORT})`,
  ),
  socket: setting("server.socket", socket, null, "Unix socket to listen on, instead of an address"),
  corsOrigins: setting(
    "server.cors_origins",
    orNone(list(text("ORIGIN"), "ORIGIN,…"), "none"),
    [],
    "allowed CORS origins besides localhost; * = all",
    LIVE,
  ),
  allowedHosts: setting(
    "server.allowed_hosts",
    orNone(list(text("NAME"), "NAME,…"), "none"),
    [],
    "allowed host names besides this machine's own; * = all",
    LIVE,
  ),
  publicUrl: setting(
    "server.public_url",
    orAutomatic(webUrl, "auto"),
    null,
    "base URL for returned images (default: scheme and host of the request)",
    LIVE,
  ),
  cachePerKey: setting(
    "server.cache_per_key",
    toggle,
    false,
    "share cached prompts only between requests with the same API key",
    LIVE,
  ),
  reasoningField: setting(
    "server.reasoning_field",
    { ...oneOf(...REASONING_FIELDS), placeholder: "NAME" },
    "reasoning_content",
    "field of answers for thinking: reasoning_content (default), reasoning or both",
    LIVE,
  ),
  web: setting(
    "server.web",
    toggle,
    true,
    "serve the web page to browsers (default); --no-web does not",
    LIVE,
  ),
  path: setting(
    "server.static",
    orAutomatic(text("FOLDER"), "none"),
    null,
    "serve the page in this folder at / instead; ours is then at /ui",
  ),
  insecure: setting("server.insecure", toggle, false, "allow non-loopback without an API key"),
}

/** Access to the metrics. */
export const metricsSettings = {
  metricsPublic: setting("metrics.public", toggle, false, "serve metrics without an API key", LIVE),
}
