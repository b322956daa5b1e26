import { runMediaWorker } from "../worker-shell"
import { loadRecognizer } from "./load"

/** Runs one recogniser for the parent process, until that ends the connection. */
export function runRecognizerWorker(): void {
  runMediaWorker(loadRecognizer)
}
