/** Where a link may lead; undefined: it is shown, and is no link. */
export function safeLink(address: string): string | undefined {
  // Browsers skip these in addresses, so `java\nscript:` must not get past the check either.
  const clean = address.replace(/[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/g, "")
  if (!/^(https?|mailto):/i.test(clean)) return undefined
  try {
    const url = new URL(clean)
    // Credentials are how an address hides its host.
    return url.username === "" && url.password === "" ? url.href : undefined
  } catch {
    return undefined
  }
}

/** Pictures that are part of the text itself. Others would have to be fetched, which tells somebody something. */
export function safeImage(address: string): string | undefined {
  return /^data:image\/(png|jpeg|gif|webp);base64,[a-z0-9+/=]+$/i.test(address) ? address : undefined
}

const HIDDEN = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Makes characters visible that change the direction of others: they can make a text look like another. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (found) => `⟨U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase()}⟩`)
}
