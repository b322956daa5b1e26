import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { cc } from "bun:ffi"
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { cString } from "../../src/llama/library"
import { shimSymbols } from "../../src/llama/symbols"
import { tempFolder } from "../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** The shim's own source, with functions that do to it what llama.cpp does. */
const HARNESS = `
#include "${join(import.meta.dir, "../../src/llama/shim.c")}"


#define THREADS 8
#define LINES 2000

static void ignore_log(void (*callback)(int, const char *, void *), void *data) {}
static void ignore_abort(void (*callback)(const char *)) {}

void listen(int32_t fd) {
  log_set = ignore_log;
  set_abort_callback = ignore_abort;
  xllm_log_to(fd, 1);
}

/* Lines of one letter each, in two pieces, of up to twice of what fits a frame. */
static void *chatter(void *letter) {
  char text[4200];
  for (int line = 0; line < LINES; line++) {
    int size = 1 + (line * 7919 + *(char *)letter * 31) % 4096;
    memset(text, *(char *)letter, size);
    text[size] = 0;
    on_log(2, text, 0);
    text[size / 2] = '\\n';
    text[size / 2 + 1] = 0;
    on_log(5, text, 0);
  }
  return 0;
}

void chatter_at_once(void) {
  unsigned long threads[THREADS];
  char letters[THREADS];
  for (int i = 0; i < THREADS; i++) {
    letters[i] = 'a' + i;
    pthread_create(&threads[i], 0, chatter, &letters[i]);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
}

static struct model_params model_defaults(void) {
  struct model_params params;
  memset(&params, 0, sizeof params);
  return params;
}

static struct context_params context_defaults(void) {
  struct context_params params;
  memset(&params, 0, sizeof params);
  return params;
}

void use_defaults(void) {
  model_default_params = model_defaults;
  context_default_params = context_defaults;
}

const char *parameter_name(int32_t of_context, int32_t index) {
  return (of_context ? context_parameters : model_parameters)[index].name;
}

/* The named members, read without the table. */
#define READ(member) if (!strcmp(name, #member)) return params->member
double read_context(const struct context_params *params, const char *name) {
  READ(n_ctx); READ(n_batch); READ(n_ubatch); READ(n_seq_max); READ(n_outputs_max); READ(n_threads);
  READ(n_threads_batch); READ(rope_scaling_type); READ(pooling_type); READ(embeddings); READ(flash_attn_type); READ(rope_freq_base);
  READ(rope_freq_scale); READ(yarn_orig_ctx); READ(type_k); READ(type_v); READ(offload_kqv); READ(swa_full);
  READ(kv_unified);
  return -12345;
}

double read_model(const struct model_params *params, const char *name) {
  READ(n_gpu_layers); READ(split_mode); READ(load_mode); READ(use_extra_bufts); READ(no_alloc);
  return -12345;
}

void abort_with(const char *message) { on_abort(message); }
void progress_of(float fraction) { on_progress(fraction, 0); }
`

function compile() {
  const source = join(folder.path, "harness.c")
  writeFileSync(source, HARNESS)
  return cc({
    source,
    symbols: {
      listen: { args: ["i32"], returns: "void" },
      chatter_at_once: { args: [], returns: "void" },
      abort_with: { args: ["cstring"], returns: "void" },
      progress_of: { args: ["f32"], returns: "void" },
      use_defaults: { args: [], returns: "void" },
      parameter_name: { args: ["i32", "i32"], returns: "cstring" },
      read_context: { args: ["ptr", "cstring"], returns: "f64" },
      read_model: { args: ["ptr", "cstring"], returns: "f64" },
      xllm_model_params: shimSymbols.xllm_model_params,
      xllm_model_param: shimSymbols.xllm_model_param,
      xllm_context_params: shimSymbols.xllm_context_params,
      xllm_context_param: shimSymbols.xllm_context_param,
      xllm_params_free: shimSymbols.xllm_params_free,
      xllm_error: shimSymbols.xllm_error,
    },
  }).symbols
}

/** The frames that `work` makes the shim write, one a line. */
function framesOf(work: (shim: ReturnType<typeof compile>) => void): string[] {
  const path = join(folder.path, "frames")
  const fd = openSync(path, "w")
  const shim = compile()
  shim.listen(fd)
  work(shim)
  closeSync(fd)
  const text = readFileSync(path, "latin1")
  expect(text.endsWith("\n")).toBe(true)
  return text.slice(0, -1).split("\n")
}

test("log lines of several threads at once are written whole, none in another", () => {
  const frames = framesOf((shim) => shim.chatter_at_once())
  expect(frames.filter((frame) => !/^\x1eL[25] (.)\1{0,2047}$/.test(frame))).toEqual([])
  const letters = frames.reduce((sum, frame) => sum + frame.length - "\x1eL2 ".length, 0)
  let expected = 0
  for (let thread = 0; thread < 8; thread++)
    for (let line = 0; line < 2000; line++) {
      const size = 1 + ((line * 7919 + (97 + thread) * 31) % 4096)
      expected += size + Math.floor(size / 2)
    }
  expect(letters).toBe(expected)
})

test("a fatal message of any length is one frame, and nothing that lies behind it", () => {
  const [frame, ...rest] = framesOf((shim) => shim.abort_with(Buffer.from(`${"x".repeat(50_000)}\0`)))
  expect(rest).toEqual([])
  expect(frame).toMatch(/^\x1eL4 x{1000,1200}$/)
  expect(framesOf((shim) => shim.abort_with(Buffer.from("ggml.c:1: no\0")))).toEqual(["\x1eL4 ggml.c:1: no"])
})

test("progress that is no fraction is no more than a frame", () => {
  expect(framesOf((shim) => shim.progress_of(0.25))).toEqual(["\x1eP0.25"])
  const [frame, ...rest] = framesOf((shim) => shim.progress_of(3e38))
  expect(rest).toEqual([])
  expect(frame?.length).toBeLessThan(32)
})

/** The parameters that can be set, and a place for their values. */
function parametersOf(shim: ReturnType<typeof compile>, of: "model" | "context") {
  shim.use_defaults()
  const parameters = of === "model" ? shim.xllm_model_params() : shim.xllm_context_params()
  if (parameters === null) throw new Error("there is no memory")
  const names: string[] = []
  for (let index = 0; ; index++) {
    const name = shim.parameter_name(of === "context" ? 1 : 0, index)?.toString()
    if (name === undefined || name === "" || name === "null") break
    names.push(name)
  }
  const set = of === "model" ? shim.xllm_model_param : shim.xllm_context_param
  const read = of === "model" ? shim.read_model : shim.read_context
  return {
    names,
    set: (name: string, value: number) => set(parameters, cString(name), value) === 1,
    read: (name: string) => read(parameters, cString(name)),
    [Symbol.dispose]: () => shim.xllm_params_free(parameters),
  }
}

test.each(["model", "context"] as const)("each parameter of a %s is set by its name, and no other", (of) => {
  const shim = compile()
  using parameters = parametersOf(shim, of)
  const { names } = parameters
  expect(names.length).toBe(of === "model" ? 5 : 19)
  for (const name of names) {
    expect(parameters.read(name)).toBe(0)
    expect(parameters.set(name, 1)).toBe(true)
    expect(names.filter((other) => parameters.read(other) !== 0)).toEqual([name])
    expect(parameters.read(name)).toBe(1)
    expect(parameters.set(name, 0)).toBe(true)
  }
})

test.each(["n_ctxx", "", "n_ctx ", "N_CTX", "n_gpu_layers"])("the context has no parameter %j", (name) => {
  const shim = compile()
  using parameters = parametersOf(shim, "context")
  expect(parameters.set(name, 1)).toBe(false)
  expect(shim.xllm_error()?.toString()).toBe(`there is no parameter called ${name}`)
})

test.each([
  ["n_ctx", -1],
  ["n_ctx", 0.5],
  ["n_ctx", 2 ** 32],
  ["n_threads", 2 ** 31],
  ["kv_unified", 2],
  ["kv_unified", NaN],
])("the parameter %s cannot be %d", (name, value) => {
  const shim = compile()
  using parameters = parametersOf(shim, "context")
  expect(parameters.set(name, value)).toBe(false)
  expect(shim.xllm_error()?.toString()).toStartWith(`the parameter ${name} cannot be `)
  expect(parameters.read(name)).toBe(0)
})

test("parameters reach the ends of their types", () => {
  const shim = compile()
  using parameters = parametersOf(shim, "context")
  for (const [name, value] of [
    ["n_ctx", 2 ** 32 - 1],
    ["n_threads", -(2 ** 31)],
    ["flash_attn_type", -1],
    ["rope_freq_scale", 0.25],
  ] as const) {
    expect(parameters.set(name, value)).toBe(true)
    expect(parameters.read(name)).toBe(value)
  }
})
