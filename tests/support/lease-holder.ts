/**
 * A process that takes CPU leases: `bun lease-holder.ts FOLDER NAME COUNT LOG`. During each lease it appends its name
 * to LOG. COUNT 0: takes one lease, reports it and keeps it.
 */
import { appendFileSync } from "node:fs"
import { CpuLease } from "../../src/worker/cpu-lease"

const [folder = "", name = "", count = "", log = ""] = process.argv.slice(2)
const turns = new CpuLease(folder)

/** Takes as long as a step of a small model. */
function compute(): void {
  const endsAt = performance.now() + 2
  while (performance.now() < endsAt) continue
}

async function take(): Promise<void> {
  if (!turns.tryTake()) await turns.wait()
}

if (count === "0") {
  await take()
  console.log("taken")
  setInterval(() => {}, 1000)
} else {
  console.log("ready")
  for await (const _ of console) break
  for (let turn = 0; turn < Number(count); turn++) {
    await take()
    appendFileSync(log, name)
    compute()
    turns.giveBack()
    await new Promise((resolve) => setImmediate(resolve))
  }
  process.exit(0)
}
