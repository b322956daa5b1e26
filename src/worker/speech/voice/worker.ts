import { runMediaWorker } from "../worker-shell"
import { loadVoice } from "./load"

/** Runs one voice for the parent process, until that ends the connection. */
export function runVoiceWorker(): void {
  runMediaWorker(loadVoice)
}
