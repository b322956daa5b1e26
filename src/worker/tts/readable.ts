/** Ends a line for good, where "\n" may just wrap a text. */
const HARD_LINE = "\u2028"

const FENCE = /^\s{0,3}(?:```|~~~)/
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/
/** A line of dashes, asterisks or equal signs: a rule, or what underlines a heading. */
const RULE = /^\s{0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,}|={3,})$/
const TABLE_RULE = /^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)+\|?\s*$|^\s*\|\s*:?-{2,}:?\s*\|\s*$/
const TABLE_ROW = /^\s*\|.*\|\s*$/
const LINK_DEFINITION = /^\s{0,3}\[[^\]^][^\]]*\]:\s*\S+/

/** Tags of HTML and of markup for speech; others may be comparisons, "a<b and c>d". */
const TAG =
  /<\/?(?:a|abbr|audio|b|blockquote|br|code|div|details|em|emphasis|h[1-6]|hr|i|img|kbd|li|mark|ol|p|pre|prosody|s|say-as|small|span|speak|strong|sub|summary|sup|table|tbody|td|th|thead|tr|u|ul|voice|break)(?:\s+[\w:-]+=(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*\/?>/gi
const LINE_TAG = /<(?:br|\/p|\/div|\/li|\/tr|\/h[1-6]|hr)\b[^<>]{0,300}>/gi

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  mdash: "—",
  ndash: "–",
  hellip: "…",
}

/** Emoji, and signs that only decorate: bullets, boxes, frames. */
const PICTURES =
  /(?![©®™‼⁉ℹ])(?:\p{RGI_Emoji}|\p{Extended_Pictographic}|[\u2500-\u25ff\ufe0f\u{1f3fb}-\u{1f3ff}\u2605\u2606])+/gv
const EMOTICON = /(?<=\s|^)[:;=]'?-?[)(DPpO](?=\s|$|[.,!?])/g

/** A longer address is read without its path. */
const LONGEST_ADDRESS = 60

/**
 * A text as a person would read it aloud: without the marks of Markdown and HTML, without emoji, and with the short
 * form of addresses. A text of which nothing is left, such as a single emoji, is read as it is.
 */
export function toReadable(text: string): string {
  const readable = withoutPictures(inline(lines(text.replace(/\r\n?/g, "\n")).join("\n")))
  return /[\p{L}\p{N}]/u.test(readable) ? readable : text
}

/** The lines of a text without the marks of its blocks. */
function lines(text: string): string[] {
  const all = text.replace(/<!--[^]*?-->/g, " ").split("\n")
  const read: string[] = []
  let isCode = false
  let isTable = false
  for (const [index, line] of all.entries()) {
    if (FENCE.test(line)) {
      isCode = !isCode
      read.push("")
    } else if (isCode) read.push(line.trim() === "" ? "" : line + HARD_LINE)
    else {
      const quoted = line.replace(/^\s*(?:>\s?)+/, "")
      isTable =
        quoted.includes("|") && (isTable || TABLE_ROW.test(quoted) || TABLE_RULE.test(all[index + 1] ?? ""))
      if (isTable) read.push(...readRow(quoted))
      else read.push(...readLine(quoted))
    }
  }
  return read
}

function readRow(line: string): string[] {
  if (TABLE_RULE.test(line)) return []
  const cells = line.split("|").map((cell) => cell.trim())
  return [cells.filter((cell) => cell !== "").join(", ") + HARD_LINE]
}

function readLine(line: string): string[] {
  const heading = HEADING.exec(line)?.[1]
  if (heading !== undefined) return ["", heading, ""]
  if (RULE.test(line)) return [""]
  if (LINK_DEFINITION.test(line)) return []
  return [line.replace(/^(\s*(?:[-*+]|\d+[.)])\s+)\[[ xX]\]\s+/, "$1").replace(/^\[\^[^\]]+\]:\s*/, "")]
}

/** Without the marks within a line. */
function inline(text: string): string {
  return readAddresses(
    text
      .replace(LINE_TAG, HARD_LINE)
      .replace(TAG, " ")
      .replace(/!\[([^\]]{0,300})\]\([^()\s]{0,2000}(?:\s+"[^"]*")?\)/g, "$1")
      .replace(/\[([^\]]{1,300})\]\((?:[^()\s]|\([^()\s]{0,300}\)){0,2000}(?:\s+"[^"]*")?\)/g, "$1")
      .replace(/\[\^[^\]\s]{1,100}\]/g, "")
      .replace(/\[([^\]]{1,300})\]\[[^\]]{0,300}\]/g, "$1")
      .replace(/<((?:https?:\/\/|mailto:)[^\s<>]{1,2000}|[^\s<>@]{1,100}@[^\s<>@]{1,300})>/g, "$1"),
  )
    .replace(/(`+)(?!`)(.{1,300}?)\1/g, "$2")
    .replace(/(?<!\\)(\*\*|__|~~|==)(?=\S)(.{1,1000}?)(?<=\S)\1/g, "$2")
    .replace(/(?<![\p{L}\p{N}*\\])\*(?=[^\s*])([^*\n]{0,300}[^\s*])\*(?![\p{L}\p{N}*])/gu, "$1")
    .replace(/(?<![\p{L}\p{N}_\\])_(?=[^\s_])([^\n]{0,300}?[^\s_])_(?![\p{L}\p{N}_])/gu, "$1")
    .replace(/(?<=[\p{L}\p{N}])_+(?=[\p{L}\p{N}])/gu, " ")
    .replace(/(?<=[\p{L}.,!?])\*+(?=\s|$|[.,;:!?])/gu, "")
    .replace(/[*#_=~|`]{2,}/g, " ")
    .replace(/\\([!-/:-@[-`{-~])/g, "$1")
    .replace(/&(?:#(\d{1,6})|(\w{2,6}));/g, (whole: string, code?: string, name?: string) =>
      code !== undefined ? String.fromCodePoint(Number(code)) : (ENTITIES[name ?? ""] ?? whole),
    )
}

/** Addresses without what is not read aloud: the scheme, "www.", the query. */
function readAddresses(text: string): string {
  return text.replace(/\bmailto:/gi, "").replace(/\b(?:https?:\/\/|www\.)[^\s<>"]+/gi, (address) => {
    const mark = /[.,;:!?)\]'*_~`]+$/.exec(address)?.[0] ?? ""
    const [bare = ""] = address
      .slice(0, address.length - mark.length)
      .replace(/^https?:\/\//i, "")
      .replace(/^www\./i, "")
      .split(/[?#]/)
    const short = bare.replace(/\/+$/, "")
    return (short.length > LONGEST_ADDRESS ? (short.split("/")[0] ?? short) : decoded(short)) + mark
  })
}

function decoded(address: string): string {
  try {
    return decodeURIComponent(address)
  } catch {
    return address
  }
}

function withoutPictures(text: string): string {
  return text
    .replace(/([0-9#*])\ufe0f?\u20e3/g, "$1")
    .replace(EMOTICON, "")
    .replace(PICTURES, " ")
    .replace(/[^\S\n\u2028]+(?=[.,!?;:…](?:\s|$))/g, "")
}
