/** Does an Accept-Encoding header allow a coding? `q=0` forbids it. */
export function acceptsCoding(header: string, coding: string): boolean {
  const weights = header.split(",").map((part) => {
    const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase())
    return { name, allowed: !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter)) }
  })
  const named = weights.find(({ name }) => name === coding) ?? weights.find(({ name }) => name === "*")
  return named?.allowed ?? false
}
