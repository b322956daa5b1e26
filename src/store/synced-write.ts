import { open } from "node:fs/promises"

/** Writes a new file so that it is whole, also after the power failed, once it is renamed. */
export async function syncedWrite(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx")
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The same for a file that another way of writing has made. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
