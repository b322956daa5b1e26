import type { SpeechFolder } from "./speech-folder"

const LONGEST_LINE = 200

/**
 * The licence of a model: from the front matter of its README.md (as on Hugging Face), the `License:` line of
 * a MODEL_CARD (as in Piper's voices), otherwise the first line of a LICENSE file.
 */
export async function findLicense(folder: SpeechFolder): Promise<string | undefined> {
  const [readme] = folder.matching(/^readme\.md$/i)
  const fromReadme = readme && frontMatterLicense(await folder.text(readme))
  if (fromReadme !== undefined) return fromReadme
  const [card] = folder.matching(/^model_card(\.md)?$/i)
  const fromCard = card && cardLicense(await folder.text(card))
  if (fromCard !== undefined) return fromCard
  const [license] = folder.matching(/^licen[cs]e(\.(md|txt))?$/i)
  return license && firstLine(await folder.text(license))
}

function frontMatterLicense(text: string): string | undefined {
  const matter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? ""
  return clean(/^license:\s*(.+)$/m.exec(matter)?.[1])
}

function cardLicense(text: string): string | undefined {
  return clean(/^[\s*#-]*licen[cs]e\s*:\s*(.+)$/im.exec(text)?.[1])
}

function firstLine(text: string): string | undefined {
  return clean(text.split("\n").find((line) => line.trim() !== ""))
}

function clean(line: string | undefined): string | undefined {
  const text = line?.trim().replace(/^["']|["']$/g, "")
  return text ? text.slice(0, LONGEST_LINE) : undefined
}
