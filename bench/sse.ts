/**
 * The `data:` lines of an event stream, each as soon as it is complete. Comments and other fields are skipped;
 * OpenAI's streams never split an event over several lines.
 */
export async function* readEvents(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  const decoder = new TextDecoder()
  let rest = ""
  for await (const bytes of response.body) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim()
  }
}
