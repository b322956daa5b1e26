import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { cc } from "bun:ffi"
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** The shim's own source, with functions that do to it what llama.cpp does. */
const HARNESS = `
#include "${join(import.meta.dir, "../../src/llama/shim.c")}"

extern int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument);
extern int pthread_join(unsigned long thread, void **result);

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
