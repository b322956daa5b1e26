import type { Attachment } from "../../conversations/types"
import { bytesText } from "../../lib/format"
import { uniqueId } from "../../lib/unique-id"
import { chatTexts } from "../../texts/chat"
import { toast } from "../../ui/toasts"

const LARGEST = { image: 12_000_000, text: 1_000_000 } as const

/** What models can be shown. Other pictures are text (SVG) or nothing that can be used. */
const PICTURES: ReadonlySet<string> = new Set([
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/gif",
  "image/bmp",
])

/** Reads files that the user picked, dropped or pasted. What cannot be used is said. */
export async function readFiles(files: Iterable<File>): Promise<readonly Attachment[]> {
  const found: Attachment[] = []
  for (const file of files) {
    const kind = PICTURES.has(file.type) ? "image" : "text"
    const texts = chatTexts.peek()
    if (file.size > LARGEST[kind]) {
      toast(texts.fileTooLarge(file.name, bytesText(LARGEST[kind])), { look: "error" })
      continue
    }
    const content = kind === "image" ? await dataUrlOf(file) : await textOf(file)
    if (content === undefined) toast(texts.unusable(file.name), { look: "error" })
    else found.push({ id: uniqueId(), name: file.name, kind, content })
  }
  return found
}

async function textOf(file: File): Promise<string | undefined> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())
    return text.includes("\0") ? undefined : text
  } catch {
    return undefined
  }
}

function dataUrlOf(file: File): Promise<string | undefined> {
  return new Promise((resolve) => {
    const reader = new FileReader()
    reader.onload = () => resolve(typeof reader.result === "string" ? reader.result : undefined)
    reader.onerror = () => resolve(undefined)
    reader.readAsDataURL(file)
  })
}
