import { afterAll, afterEach, beforeAll, describe, expect, spyOn, test } from "bun:test"
import { main } from "../src/cli/main"
import * as baseErrors from "../src/errors/base"
import type { XllmError } from "../src/errors/base"
import * as cliErrors from "../src/errors/cli"
import * as engineErrors from "../src/errors/engine"
import * as modelErrors from "../src/errors/model"
import * as requestErrors from "../src/errors/request"
import * as storeErrors from "../src/errors/store"
import { openAiDialect } from "../src/http/openai/dialect"
import { dialectOf } from "../src/http/plugins/dialects"
import { errorResponse } from "../src/http/plugins/errors"
import { listen, type Listener } from "../src/http/server/listen"
import { APIS, withoutId } from "./support/error-shapes"
import { fakeServer, jsonOf, USER_HI } from "./support/http"

const errors = {
  ...baseErrors,
  ...cliErrors,
  ...engineErrors,
  ...modelErrors,
  ...requestErrors,
  ...storeErrors,
}

/** One of each kind, and what a client of the server sees of it. */
const TABLE: readonly (readonly [error: XllmError, status: number, seen?: Seen])[] = [
  [new errors.InvalidRequest("n must be at least 1, got 0", "n"), 400, { param: "n" }],
  [
    new errors.Unsupported("audio is not supported yet", "audio"),
    400,
    { code: "unsupported", param: "audio" },
  ],
  [
    new errors.ModelNotDownloaded("no x here", new Error("why")),
    404,
    { code: "model_not_found", param: "model" },
  ],
  [
    new errors.ModelCorrupt("m", { files: [{ name: "a.gguf" }], canRepair: true }),
    500,
    {
      code: "model_corrupt",
      message: "model 'm' is damaged on disk (a.gguf); repair it with 'xllm pull --repair m'",
      param: "model",
      files: ["a.gguf"],
      can_repair: true,
    },
  ],
  [
    new errors.ModelCorrupt("m", { files: [{ name: "a.gguf", role: "adapter" }], canRepair: false }),
    500,
    {
      message:
        "model 'm' is damaged on disk (adapter a.gguf); it was not downloaded: create or import it again",
      param: "model",
    },
  ],
  [
    new errors.ResponseNotFound("resp_1"),
    404,
    { code: "response_not_found", message: "Response with id 'resp_1' not found." },
  ],
  [
    new errors.RequestStopped(),
    499,
    { code: "request_stopped", message: "the request was stopped on the server" },
  ],
  [new errors.RequestNotFound("1"), 404, { code: "request_not_found", message: "no request '1' is running" }],
  [new errors.PullNotFound("1"), 404, { code: "pull_not_found", message: "no download '1' is known" }],
  [new errors.TooManyPulls(8), 429, { code: "too_many_pulls" }],
  [new errors.TooManyWatchers(256), 429, { code: "too_many_watchers" }],
  [new errors.KeyRequired(), 403, { code: "key_required" }],
  [
    new errors.PreviousResponseNotFound("resp_1", "it is old"),
    400,
    {
      code: "previous_response_not_found",
      message:
        "Previous response with id 'resp_1' not found (it is old); send the whole conversation as input",
      param: "previous_response_id",
    },
  ],
  [new errors.SlotNotSaved("why"), 500, { code: "slot_not_saved" }],
  [new errors.SlotNotRestored("why"), 400, { code: "slot_not_restored" }],
  [new errors.NotChangeable(), 501, { code: "not_changeable" }],
  [new errors.PromptsNotKept(), 501, { code: "prompts_not_kept" }],
  [new errors.PullCancelled("m"), 499, { code: "cancelled" }],
  [new errors.DownloadFailed("x", "why"), 502, { code: "download_failed" }],
  [new errors.NotAuthorized("x", "why"), 403, { code: "not_authorized" }],
  [
    new errors.ChecksumMismatch("x", "aa", "bb"),
    502,
    { code: "checksum_mismatch", declared: "aa", actual: "bb" },
  ],
  [new errors.DiskFull("/f", undefined), 507, { code: "disk_full" }],
  [new errors.ImageGenerationFailed("why"), 500, { code: "drawing_failed" }],
  [new errors.ModelNotFound("m"), 404, { code: "model_not_found", param: "model" }],
  [
    new errors.WrongModelKind("joe", "tts"),
    400,
    { code: "wrong_model_kind", param: "model", model_kind: "tts" },
  ],
  [new errors.NoReranker("m"), 400, { code: "unsupported", param: "model" }],
  [
    new errors.InputTooLong("input[3]", 600, 512),
    400,
    { code: "context_length_exceeded", param: "input[3]", n_prompt_tokens: 600, n_ctx: 512 },
  ],
  [
    new errors.InvalidModelName("a b", "why"),
    400,
    { code: "invalid_model_name", param: "model", message: "invalid model name 'a b': why" },
  ],
  [new errors.SignatureRefused("a/b:m.gguf", "why"), 403, { code: "signature_refused" }],
  [new errors.KeyNotFound("0123", false), 404, {}],
  [new errors.InvalidKey("a.asc", "why"), 400, { code: "invalid_key" }],
  [new errors.InvalidManifest("why"), 400, { code: "invalid_manifest" }],
  [new errors.BlobMissing("m", ["sha256:ab"]), 409, { code: "blob_missing" }],
  [
    new errors.ModelsFolderUnwritable("/models", new Error("no")),
    500,
    { code: "models_folder_unwritable", message: expect.stringContaining(" models: no; make it writable") },
  ],
  [new errors.StoreBusy("/models"), 503, { code: "store_busy", headers: { "retry-after": "5" } }],
  [new errors.NotFound("GET", "/x"), 404, { code: "not_found" }],
  [new errors.MethodNotAllowed("GET", "/x", ["POST", "PUT"]), 405, { headers: { allow: "POST, PUT" } }],
  [
    new errors.ContextLengthExceeded(900, 512, "messages", false, undefined, 700),
    400,
    {
      n_media_tokens: 700,
      ...{ code: "context_length_exceeded", param: "messages", n_prompt_tokens: 900, n_ctx: 512 },
      message: expect.stringContaining(
        ": the prompt has 900, of which its images and sounds take 700; shorten it",
      ),
    },
  ],
  [
    new errors.NotPerceived("tiny", "image"),
    400,
    {
      code: "unsupported",
      param: "messages",
      message: expect.stringContaining("'tiny' does not see images"),
    },
  ],
  [
    new errors.UnreadableMedia("the image", "it is svg").at(2, 3),
    400,
    { param: "messages", message: "the image (2 of 3) cannot be read: it is svg" },
  ],
  [new errors.ImageNotFound(), 404, { code: "image_not_found" }],
  [new errors.OriginNotAllowed("https://evil.example"), 403, { code: "origin_not_allowed" }],
  [new errors.HostNotAllowed("evil.example"), 403, { code: "host_not_allowed" }],
  [new errors.InvalidApiKey(false), 401, { headers: { "www-authenticate": "Bearer" } }],
  [new errors.ApiKeyRefused("http://box:1", true), 401, { code: "invalid_api_key" }],
  [new errors.CannotListen("127.0.0.1:80", "the port is already in use"), 500, {}],
  [
    new errors.ContextLengthExceeded(900, 512, "messages"),
    400,
    {
      ...{ code: "context_length_exceeded", param: "messages", n_prompt_tokens: 900, n_ctx: 512 },
      // What litellm, aider and LangChain look for.
      message: expect.stringMatching(
        /^Input tokens exceed the configured limit of 512 tokens: the prompt has 900;/,
      ),
    },
  ],
  [new errors.PayloadTooLarge(50 * 1024 ** 2), 413, { code: "payload_too_large" }],
  [
    new errors.UnsupportedEncoding("lz4"),
    415,
    { code: "unsupported_encoding", headers: { "accept-encoding": "gzip, deflate, br, zstd" } },
  ],
  [new errors.QueueFull("m", 10, 4.2), 503, { code: "queue_full", headers: { "retry-after": "5" } }],
  [new errors.QueueTimeout("m", 1500, 0.2), 503, { code: "queue_timeout", headers: { "retry-after": "1" } }],
  [new errors.NotEnoughMemory("m", "system memory", 2e9, 1e9, "unload something"), 507, {}],
  [new errors.KvCacheLost("m"), 507, { code: "not_enough_memory" }],
  [new errors.TooManyModels("m", 3), 507, { max_models: 3 }],
  [new errors.ShuttingDown("the server"), 503, { code: "stopping", headers: { "retry-after": "1" } }],
  [
    new errors.AdapterLoadFailed("a", "m", "/x/a.gguf: it is damaged"),
    500,
    { code: "adapter_load_failed", param: "lora" },
  ],
  [new errors.AdapterExists("a"), 409, { code: "model_exists" }],
  [new errors.AdapterNotFound("a", "m", ""), 404, { code: "adapter_not_found", param: "lora" }],
  [new errors.ModelLoadFailed("m", "it is damaged"), 500, { code: "model_load_failed" }],
  [new errors.InvalidSettings("set x to y", "m"), 500, { code: "invalid_settings" }],
  [new errors.InvalidModelFile("/m.gguf", "it is not a GGUF file"), 500, {}],
  [new errors.WorkerCrashed("m", "was killed", ["last words"]), 500, { code: "worker_crashed" }],
  [new errors.WorkerUnresponsive("m", "while loading", 60_000, []), 500, {}],
  [new errors.TemplateFailed("x is undefined"), 400, { param: "messages" }],
  [new errors.DecodeFailed("no memory"), 500, { code: "decode_failed" }],
  [new errors.ConstraintFailed("no token fits"), 500, { code: "constraint_failed" }],
  [new errors.NotNumbers(), 500, { code: "decode_failed" }],
  [new errors.TranscriptionFailed("no memory"), 500, { code: "recognition_failed" }],
  [
    new errors.InvalidModelfile("Modelfile", [{ line: 3, message: "FROM is missing" }]),
    400,
    { code: "invalid_modelfile" },
  ],
  [
    new errors.UnsupportedModelfile("Modelfile", [{ message: "DRAFT has no effect yet" }]),
    400,
    { code: "unsupported" },
  ],
  [new errors.FileFailed("write", "/m.tar", new Error("read-only")), 400, { code: "file_failed" }],
  [new errors.StorageFailed("the image", new Error("read-only")), 500, { code: "storage_failed" }],
  [
    new errors.DiskFull("/models", { neededBytes: 2e9, freeBytes: 1e9 }),
    507,
    { code: "disk_full", needed_bytes: 2e9 },
  ],
  [new errors.InvalidArchive("m.tar", "it is cut short"), 400, { code: "invalid_archive" }],
  [new errors.ModelExists("m", "--force replaces it"), 409, { code: "model_exists", param: "model" }],
  [new errors.NativeLibraryError("a library is missing"), 500, {}],
  [new errors.Cancelled(), 499, { code: "cancelled" }],
  [new errors.ClientStalled(2e6, 30_000), 499, { code: "client_stalled" }],
  [new errors.ServerUnreachable("http://x"), 503, {}],
  [new errors.UnexpectedServerResponse("http://x", "sent nonsense"), 502, {}],
  [new errors.UsageError("unknown command 'x'"), 400, {}],
  [new errors.CannotMeasure("why"), 502, { code: "cannot_measure" }],
  [new errors.InternalError("x is not a function"), 500, { code: "internal_error" }],
  [
    new errors.SystemFailed(Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" })),
    500,
    { code: "system_failed", message: "the operating system reports: the disk or device reports an error" },
  ],
]

/** Fields of the error that OpenAI's clients see, and headers. */
describe("the reason of a failure", () => {
  test("is ours as it is, the system's in words, and a library's without its codes", () => {
    const missing = Object.assign(new Error("ENOENT: no such file or directory, open '/x'"), {
      code: "ENOENT",
    })
    expect(errors.reasonOf(missing)).toBe("no such file or folder")
    const full = new errors.DiskFull("/f", { neededBytes: 2, freeBytes: 1 })
    expect(errors.reasonOf(full)).toBe(full.message)
    const archive = Object.assign(new Error("TAR_BAD_ARCHIVE: Unrecognized archive format"), {
      code: "TAR_BAD_ARCHIVE",
    })
    expect(errors.reasonOf(archive)).toBe("Unrecognized archive format")
    expect(errors.reasonOf(new Error("EBADF: bad file descriptor, read"))).toBe("bad file descriptor")
    expect(errors.reasonOf(new SyntaxError("JSON Parse error: Expected '}'"))).toBe("Expected '}'")
    expect(errors.reasonOf(new Error("first line\n    at second (/$bunfs/root/xllm:1:2)"))).toBe("first line")
  })

  test("of a defect tells nothing of the program's inside", () => {
    expect(errors.reasonOf(new TypeError("undefined is not an object (evaluating 'uG.x')"))).toBe(
      "an internal error",
    )
    expect(errors.reasonOf("text")).toBe("unknown reason")
  })
})

interface Seen {
  readonly headers?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

/** The paths in the table. */
const PATHS = ["/f", "/models", "/m.gguf", "/m.tar"]

const CASES = TABLE.map(([error, status, seen]) => [error.name, error, status, seen] as const)

test("what a full disk refuses has a code of its own", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
  expect(new errors.FileFailed("write", "/m.tar", full)).toMatchObject({
    code: "disk_full",
    status: 507,
    message: "cannot write /m.tar: no space left on the disk",
  })
  expect(new errors.StorageFailed("the image", full)).toMatchObject({ code: "disk_full", status: 507 })
})

test("the table has every error there is", () => {
  const isError = (value: unknown) =>
    typeof value === "function" && value.prototype instanceof errors.XllmError
  const names = Object.entries(errors).flatMap(([name, value]) => (isError(value) ? [name] : []))
  expect([...new Set(CASES.map(([name]) => name))].sort()).toEqual(names.sort())
})

test("an error repeats only so much of what was wrong", () => {
  const { message } = new errors.InvalidRequest(`x is wrong: ${"x".repeat(10_000)}`)
  expect(message).toHaveLength(8193)
  expect(message).toEndWith("x…")
})

describe.each(CASES)("%s", (_name, error, status, { headers = {}, ...fields } = {}) => {
  const body = {
    message: error.publicMessage,
    type: status >= 500 ? "server_error" : "invalid_request_error",
    param: null,
    code: error.code,
    ...fields,
  }

  test("as OpenAI's clients see it", async () => {
    const { post } = fakeServer(() => {
      throw error
    })
    const response = await post("/v1/chat/completions", { messages: USER_HI })
    expect(response.status).toBe(status)
    for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value)
    expect(await jsonOf(response)).toMatchObject({ error: body })
  })

  test("at the end of a stream", () => {
    const event = openAiDialect.renderStreamError(error)
    expect(event).toMatch(/^data: .+\n\n$/)
    expect(JSON.parse(event.slice("data: ".length))).toMatchObject({ error: body })
  })

  test.each(APIS)("as clients of %s see it", async (_api, { path, shape, stream }) => {
    const response = errorResponse(error, path, "req_1")
    expect(response.status).toBe(status)
    for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value)
    const text = await response.text()
    expect(JSON.parse(text)).toEqual(shape(error))
    // Where its files are is the server's own affair.
    for (const own of PATHS) expect(text).not.toContain(own)
    const [, last = ""] = stream.exec(dialectOf(path).renderStreamError(error)) ?? []
    expect(JSON.parse(last)).toMatchObject(withoutId(shape(error)))
  })

  test("after it has crossed from a worker", () => {
    const crossed = errors.fromWire(JSON.parse(JSON.stringify(error.toWire())))
    const { code, message, publicMessage } = error
    expect(crossed).toMatchObject({ code, status, message, publicMessage })
    expect(crossed.retryAfterSeconds).toBe(error.retryAfterSeconds)
    expect(crossed.details).toEqual(error.details)
  })
})

describe("what clients are told", () => {
  test("has no folders of the server in it, and nothing of a worker's output; the message has all", () => {
    const lines = ["ggml.c:7: GGML_ASSERT(x) failed", "Bun has crashed"]
    const crashed = new errors.WorkerCrashed("m", "was terminated by SIGSEGV", lines)
    expect(crashed.message).toBe(
      "the worker of model 'm' was terminated by SIGSEGV; last output: ggml.c:7: GGML_ASSERT(x) failed | Bun has crashed",
    )
    expect(crashed.publicMessage).toBe("the worker of model 'm' was terminated by SIGSEGV")
    const full = new errors.DiskFull("/home/ann/.xllm/models", undefined)
    expect(full.message).toContain("no disk space left in /home/ann/.xllm/models;")
    expect(full.publicMessage).toContain("no disk space left in models;")
  })
})

describe("on the command line", () => {
  const { app, engine } = fakeServer()
  const written: string[] = []
  const stderr = spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0)
  let listener: Listener

  beforeAll(async () => {
    // Every command adds its own listeners, and otherwise there is one command in a process.
    for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)
    listener = await listen(app, { host: "127.0.0.1", port: 0 })
  })
  afterEach(() => {
    written.length = 0
    // What the command said would become the result of the tests.
    process.exitCode = 0
  })
  afterAll(async () => {
    stderr.mockRestore()
    await listener.close()
  })

  test.each(CASES)("%s of a server is one line and exit code 1", async (_name, error) => {
    engine.stop = () => Promise.reject(error)
    await main(["stop", "m", "--host", listener.url])
    // Headers are no remedy on the command line.
    const seen = error.code === "invalid_api_key" ? new errors.ApiKeyRefused(listener.url, false) : error
    expect(written).toEqual([`Error: ${seen.publicMessage}\n`])
    expect(process.exitCode).toBe(1)
  })
})
