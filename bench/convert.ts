/**
 * Converting and quantizing beside llama.cpp's own tools: seconds and peak memory, less those of starting.
 *
 *   bun bench/convert.ts --gb 2 [--converter "python convert_hf_to_gguf.py"] [--quantizer llama-quantize]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { writeSafetensors } from "../tests/support/files/safetensors-writer"
import { writeAll, bytePairTokenizer, BYTE_PAIR_IDS } from "../tests/support/hf/tiny-tokenizers"

const { values } = parseArgs({
  options: {
    gb: { type: "string", default: "2" },
    xllm: { type: "string", default: join(import.meta.dir, "../dist/xllm") },
    converter: { type: "string" },
    quantizer: { type: "string" },
    type: { type: "string", default: "Q4_K_M" },
  },
})

const HIDDEN = 2048
const INNER = 5632
const HEADS = 32
/** Parameters of a layer. */
const LAYER = 4 * HIDDEN * HIDDEN + 3 * HIDDEN * INNER + 2 * HIDDEN

interface Measured {
  readonly seconds: number
  readonly peakBytes: number
}

async function measure(command: readonly string[]): Promise<Measured> {
  const startedAt = performance.now()
  const child = Bun.spawn([...command], { stdout: "ignore", stderr: "inherit" })
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`)
  const seconds = (performance.now() - startedAt) / 1000
  return { seconds, peakBytes: child.resourceUsage()?.maxRSS ?? 0 }
}

function report(name: string, whole: Measured, start: Measured): void {
  const seconds = (whole.seconds - start.seconds).toFixed(2)
  console.log(
    `${name}: ${seconds} s, peak ${(whole.peakBytes / 1e6).toFixed(0)} MB (start ${start.seconds.toFixed(2)} s)`,
  )
}

function writeModel(folder: string, gigabytes: number): void {
  const layers = Math.max(1, Math.round((gigabytes * 1e9) / 2 / LAYER))
  const matrix = (name: string, ...shape: number[]) => ({ name, shape, dtype: "BF16" as const })
  const tensors = [
    matrix("model.embed_tokens.weight", BYTE_PAIR_IDS, HIDDEN),
    matrix("model.norm.weight", HIDDEN),
  ]
  for (let layer = 0; layer < layers; layer++) {
    const p = `model.layers.${layer}.`
    for (const name of ["q", "k", "v", "o"])
      tensors.push(matrix(`${p}self_attn.${name}_proj.weight`, HIDDEN, HIDDEN))
    for (const name of ["gate", "up"]) tensors.push(matrix(`${p}mlp.${name}_proj.weight`, INNER, HIDDEN))
    tensors.push(matrix(`${p}mlp.down_proj.weight`, HIDDEN, INNER))
    for (const name of ["input", "post_attention"])
      tensors.push(matrix(`${p}${name}_layernorm.weight`, HIDDEN))
  }
  writeSafetensors(join(folder, "model.safetensors"), tensors)
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: BYTE_PAIR_IDS,
    hidden_size: HIDDEN,
    intermediate_size: INNER,
    num_hidden_layers: layers,
    num_attention_heads: HEADS,
    num_key_value_heads: HEADS,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
  }
  writeAll(folder, { "config.json": JSON.stringify(config), ...bytePairTokenizer() })
}

const folder = mkdtempSync(join(tmpdir(), "xllm-bench-"))
try {
  writeModel(folder, Number(values.gb))
  const out = (name: string) => join(folder, name)
  const start = await measure([values.xllm, "--version"])
  report(
    "xllm convert",
    await measure([values.xllm, "convert", folder, "-o", out("ours.gguf"), "--outtype", "bf16"]),
    start,
  )
  const quantized = ["quantize", out("ours.gguf"), values.type, "-o", out("ours-q.gguf")]
  report("xllm quantize", await measure([values.xllm, ...quantized]), start)
  if (values.converter !== undefined) {
    const converter = values.converter.split(" ")
    const begin = await measure([...converter, "--help"])
    const whole = await measure([...converter, folder, "--outtype", "bf16", "--outfile", out("theirs.gguf")])
    report("llama.cpp's converter", whole, begin)
  }
  if (values.quantizer !== undefined)
    report(
      "llama-quantize",
      await measure([values.quantizer, out("ours.gguf"), out("theirs-q.gguf"), values.type]),
      {
        seconds: 0,
        peakBytes: 0,
      },
    )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
