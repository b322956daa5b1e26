import { runMediaWorker } from "../speech/worker-shell"
import { loadPainter } from "./load"

/** Runs one model that makes pictures for the parent process, until that ends the connection. */
export function runImageWorker(): void {
  runMediaWorker(loadPainter)
}
