/** Part of the executable with its own licence. */
export interface LicensedPart {
  readonly name: string
  /** The SPDX identifier given by its authors. */
  readonly license: string
  readonly source: string
  /** What it is compiled from, besides its own code. */
  readonly contains?: readonly { readonly name: string; readonly license: string }[]
  /** The optional component that brings this part in; absent: it is always included. */
  readonly component?: string
  /** The npm packages that it comes from, to check that none is forgotten. */
  readonly packages: readonly string[]
}

const github = (repository: string) => `https://github.com/${repository}`

/** All parts that an executable can contain: native ones first, then JavaScript. */
export const LICENSED_PARTS: readonly LicensedPart[] = [
  {
    name: "Bun, the runtime",
    license: "MIT",
    source: github("oven-sh/bun"),
    contains: [{ name: "JavaScriptCore (WebKit)", license: "LGPL-2.0-or-later" }],
    packages: ["bun"],
  },
  {
    name: "llama.cpp and ggml, CPU",
    license: "MIT",
    source: github("ggml-org/llama.cpp"),
    packages: ["@node-llama-cpp/linux-x64", "@node-llama-cpp/linux-arm64"],
  },
  {
    name: "ggml, Vulkan",
    license: "MIT",
    source: github("ggml-org/llama.cpp"),
    component: "vulkan",
    packages: ["@node-llama-cpp/linux-x64-vulkan"],
  },
  {
    name: "libmtmd, for models that see and hear",
    license: "MIT",
    source: github("ggml-org/llama.cpp"),
    component: "mtmd",
    packages: [],
  },
  {
    name: "ggml, CUDA",
    license: "MIT",
    source: github("ggml-org/llama.cpp"),
    component: "cuda",
    packages: [],
  },
  {
    name: "sherpa-onnx, the speech engine",
    license: "Apache-2.0",
    source: github("k2-fsa/sherpa-onnx"),
    contains: [
      { name: "espeak-ng (https://github.com/espeak-ng/espeak-ng)", license: "GPL-3.0-or-later" },
      { name: "ONNX Runtime", license: "MIT" },
      { name: "piper-phonemize", license: "MIT" },
      { name: "kaldifst, kaldi-native-fbank, kaldi-decoder, OpenFst", license: "Apache-2.0" },
      { name: "Eigen", license: "MPL-2.0" },
    ],
    component: "speech",
    packages: ["sherpa-onnx-linux-x64"],
  },
  {
    name: "espeak-ng's data",
    license: "GPL-3.0-or-later",
    source: `${github("espeak-ng/espeak-ng")}, through ${github("echogarden-project/espeak-ng-emscripten")}`,
    component: "espeak",
    packages: ["@echogarden/espeak-ng-emscripten"],
  },
  {
    name: "stable-diffusion.cpp and ggml, the image engine",
    license: "MIT",
    source: github("leejet/stable-diffusion.cpp"),
    contains: [{ name: "@qvac/diffusion-cpp, its binding", license: "Apache-2.0" }],
    component: "image",
    packages: ["@qvac/diffusion-cpp", "@qvac/infer-base", "@qvac/logging"],
  },
  {
    name: "Bare, the image engine's runtime",
    license: "Apache-2.0",
    source: github("holepunchto/bare"),
    contains: [
      { name: "V8", license: "BSD-3-Clause" },
      { name: "libuv", license: "MIT" },
    ],
    component: "image",
    packages: [
      "bare-runtime-linux-x64",
      "bare-buffer",
      "bare-env",
      "bare-events",
      "bare-fs",
      "bare-module-resolve",
      "bare-os",
      "bare-path",
      "bare-semver",
      "bare-stream",
      "bare-url",
      "b4a",
      "events-universal",
      "require-asset",
      "text-decoder",
    ],
  },
  {
    name: "streamx, fast-fifo, teex",
    license: "MIT",
    source: github("mafintosh/streamx"),
    component: "image",
    packages: ["streamx", "fast-fifo", "teex"],
  },
  {
    name: "wasm-media-encoders, MP3",
    license: "MIT",
    source: github("arseneyr/wasm-media-encoders"),
    contains: [
      { name: "LAME", license: "LGPL-2.0-or-later" },
      { name: "libvorbis", license: "BSD-3-Clause" },
    ],
    component: "speech",
    packages: ["wasm-media-encoders"],
  },
  {
    name: "@mediabunny/aac-encoder",
    license: "MPL-2.0",
    source: github("Vanilagy/mediabunny"),
    contains: [{ name: "FFmpeg's AAC encoder", license: "LGPL-2.1-or-later" }],
    component: "speech",
    packages: ["@mediabunny/aac-encoder"],
  },
  {
    name: "@mediabunny/flac-encoder",
    license: "MPL-2.0",
    source: github("Vanilagy/mediabunny"),
    contains: [{ name: "libFLAC", license: "BSD-3-Clause" }],
    component: "speech",
    packages: ["@mediabunny/flac-encoder"],
  },
  {
    name: "@evan/opus",
    license: "MIT",
    source: github("evanwashere/opus"),
    contains: [{ name: "libopus", license: "BSD-3-Clause" }],
    component: "speech",
    packages: ["@evan/opus"],
  },
  {
    name: "mediabunny",
    license: "MPL-2.0",
    source: github("Vanilagy/mediabunny"),
    component: "speech",
    packages: ["mediabunny", "@types/dom-mediacapture-transform", "@types/dom-webcodecs"],
  },
  {
    name: "wasm-audio-decoders: MP3, FLAC, Vorbis, Opus",
    license: "MIT",
    source: github("eshaz/wasm-audio-decoders"),
    contains: [
      { name: "mpg123", license: "LGPL-2.1-only" },
      { name: "libFLAC, libvorbis, libogg, libopus", license: "BSD-3-Clause" },
      { name: "@eshaz/web-worker", license: "Apache-2.0" },
      { name: "simple-yenc", license: "MIT" },
    ],
    component: "speech",
    packages: [
      "mpg123-decoder",
      "opus-decoder",
      "ogg-opus-decoder",
      "@wasm-audio-decoders/common",
      "@wasm-audio-decoders/flac",
      "@wasm-audio-decoders/ogg-vorbis",
      "@wasm-audio-decoders/opus-ml",
      "@eshaz/web-worker",
      "simple-yenc",
    ],
  },
  {
    name: "codec-parser",
    license: "LGPL-3.0-or-later",
    source: github("eshaz/codec-parser"),
    component: "speech",
    packages: ["codec-parser"],
  },
  {
    name: "Preact and signals, of the web page",
    license: "MIT",
    source: github("preactjs/preact"),
    contains: [
      { name: "temml", license: "MIT" },
      { name: "idb", license: "ISC" },
      { name: "remend", license: "Apache-2.0" },
      { name: "highlight.js", license: "BSD-3-Clause" },
    ],
    packages: ["preact", "@preact/signals", "@preact/signals-core", "temml", "idb", "remend", "highlight.js"],
  },
  {
    name: "markdown-it and what it needs, of the web page",
    license: "MIT",
    source: github("markdown-it/markdown-it"),
    contains: [
      { name: "linkify-it, mdurl, punycode.js, uc.micro", license: "MIT" },
      { name: "entities", license: "BSD-2-Clause" },
    ],
    packages: ["markdown-it", "linkify-it", "mdurl", "punycode.js", "uc.micro", "entities"],
  },
  {
    name: "Elysia and what it needs",
    license: "MIT",
    source: github("elysiajs/elysia"),
    contains: [
      {
        name: "@elysiajs/cors, @elysiajs/static, cookie, exact-mirror, fast-decode-uri-component, memoirist",
        license: "MIT",
      },
      { name: "file-type, strtok3, token-types, @tokenizer/inflate, @tokenizer/token", license: "MIT" },
      { name: "@borewit/text-codec, uint8array-extras, debug, ms", license: "MIT" },
      { name: "ieee754", license: "BSD-3-Clause" },
    ],
    packages: [
      "elysia",
      "@elysiajs/cors",
      "@elysiajs/static",
      "cookie",
      "exact-mirror",
      "fast-decode-uri-component",
      "memoirist",
      "file-type",
      "strtok3",
      "token-types",
      "@tokenizer/inflate",
      "@tokenizer/token",
      "@borewit/text-codec",
      "uint8array-extras",
      "debug",
      "ms",
      "ieee754",
      "openapi-types",
    ],
  },
  {
    name: "TypeBox",
    license: "MIT",
    source: github("sinclairzx81/typebox"),
    packages: ["typebox", "@sinclair/typebox"],
  },
  {
    name: "@fastify/busboy",
    license: "MIT",
    source: github("fastify/busboy"),
    packages: ["@fastify/busboy"],
  },
  {
    name: "@huggingface/jinja",
    license: "MIT",
    source: github("huggingface/huggingface.js"),
    packages: ["@huggingface/jinja"],
  },
  {
    name: "@huggingface/tokenizers",
    license: "Apache-2.0",
    source: github("huggingface/tokenizers.js"),
    packages: ["@huggingface/tokenizers"],
  },
  { name: "citty", license: "MIT", source: github("unjs/citty"), packages: ["citty"] },
  {
    name: "eventsource-parser",
    license: "MIT",
    source: github("rexxars/eventsource-parser"),
    packages: ["eventsource-parser"],
  },
  {
    name: "OpenPGP.js",
    license: "LGPL-3.0-or-later",
    source: github("openpgpjs/openpgpjs"),
    packages: ["openpgp"],
  },
  {
    name: "prom-client",
    license: "Apache-2.0",
    source: github("siimon/prom-client"),
    contains: [
      { name: "@opentelemetry/api", license: "Apache-2.0" },
      { name: "tdigest, bintrees", license: "MIT" },
    ],
    packages: ["prom-client", "@opentelemetry/api", "tdigest", "bintrees"],
  },
  {
    name: "rotating-file-stream",
    license: "MIT",
    source: github("iccicci/rotating-file-stream"),
    packages: ["rotating-file-stream"],
  },
  {
    name: "node-tar",
    license: "BlueOak-1.0.0",
    source: github("isaacs/node-tar"),
    contains: [
      { name: "chownr, minipass, yallist", license: "BlueOak-1.0.0" },
      { name: "@isaacs/fs-minipass", license: "ISC" },
      { name: "minizlib", license: "MIT" },
    ],
    packages: ["tar", "chownr", "minipass", "yallist", "@isaacs/fs-minipass", "minizlib"],
  },
]
