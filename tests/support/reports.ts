import type { BenchReport, BenchTest } from "../../src/measure/report"
import { summarize } from "../../src/measure/statistics"

/** A test of model `m` with those samples. */
export function timed(name: string, samples: number[], more: Partial<BenchTest> = {}): BenchTest {
  const common = {
    model: "m",
    via: "worker",
    prompt: 512,
    generated: 0,
    depth: 0,
    concurrency: 1,
    unit: "tokens/s",
  } as const
  return { ...common, name, samples, ...summarize(samples), ...more }
}

/** A report of those tests. */
export function reportOf(tests: BenchTest[], more: Partial<BenchReport> = {}): BenchReport {
  return {
    schema: "xllm.bench/1",
    created: "2026-01-02T03:04:05.000Z",
    host: { cpu: "a CPU", cores: 8, ram: 2 ** 34, os: "an OS", gpus: [], load: 0.5 },
    engine: { xllm: "1.2.3", llama_cpp: "v4", backends: ["CPU"] },
    models: [
      {
        name: "m",
        kind: "text",
        digest: "d",
        architecture: "llama",
        file_type: "Q4_1",
        size: 2 ** 30,
        parameters: 1.5e9,
      },
    ],
    parameters: { command: ["benchmark", "m"], seed: 1 },
    tests,
    memory: [{ model: "m", load_seconds: 1.25, peak_ram: 2 ** 31 }],
    failures: [],
    warnings: [],
    interrupted: false,
    ...more,
  }
}
