import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { mediaFile, takeFiles, toMediaBody } from "../../../src/cli/client/media-files"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const file = (name: string) => {
  const path = join(folder.path, name)
  writeFileSync(path, "picture")
  return path
}
const cat = file("cat.png")
const spaced = file("my cat.JPG")
const quoted = file("it's.webp")
const sound = file("purr.wav")
const notes = file("notes.txt")
mkdirSync(join(folder.path, "folder.png"))

const ALL = { sees: true, hears: true }
const taken = (prompt: string, senses = ALL) => {
  const { text, media } = takeFiles(prompt, senses)
  return [text, media.map(({ type, path }) => `${type} ${path}`)] as const
}

describe("paths in a prompt", () => {
  test.each([
    ["at its end", `What is in ${cat}`, "What is in", [`image ${cat}`]],
    ["at its start", `${cat} what is it?`, "what is it?", [`image ${cat}`]],
    ["before a full stop", `Describe ${cat}.`, "Describe .", [`image ${cat}`]],
    [
      "in quotes",
      `Compare '${spaced}' and "${quoted}"`,
      "Compare  and",
      [`image ${spaced}`, `image ${quoted}`],
    ],
    ["with escaped spaces", `See ${spaced.replace(" ", "\\ ")} here`, "See  here", [`image ${spaced}`]],
    ["of sounds", `Who is ${sound}`, "Who is", [`audio ${sound}`]],
  ])("%s are the pictures that are shown", (_, prompt, text, media) => {
    expect(taken(prompt)).toEqual([text, media])
  })

  test.each([
    ["a file that is not there", "What is ./none.png"],
    ["a file of another kind", `Summarise ${notes}`],
    ["a folder", `What is ${join(folder.path, "folder.png")}`],
    ["a name without a path", "What is cat.png"],
    ["a URL", "What is https://example.com/cat.png"],
    ["a path within a word", `a${cat}`],
  ])("stay as they are: %s", (_, prompt) => {
    expect(taken(prompt)).toEqual([prompt, []])
  })

  test("stay as they are where the model cannot perceive them", () => {
    const prompt = `${cat} and ${sound}`
    expect(taken(prompt, { sees: false, hears: false })).toEqual([prompt, []])
    expect(taken(prompt, { sees: true, hears: false })).toEqual([`and ${sound}`, [`image ${cat}`]])
    expect(takeFiles(prompt, { sees: true, hears: false }).unseen).toEqual([sound])
    expect(takeFiles(`${cat} ./none.png ${notes}`, { sees: false, hears: false }).unseen).toEqual([cat])
  })
})

test("a file that is named must be there", () => {
  expect(mediaFile(cat)).toEqual({ type: "image", path: cat })
  expect(mediaFile(sound)).toEqual({ type: "audio", path: sound })
  expect(() => mediaFile("./none.png")).toThrow("there is no file './none.png'")
  expect(() => mediaFile(folder.path)).toThrow("is not a file")
})

test("a file that is named is neither empty nor larger than a request", () => {
  const empty = file("empty.png")
  truncateSync(empty, 0)
  expect(() => mediaFile(empty)).toThrow(`'${empty}' is empty`)
  const large = file("large.png")
  truncateSync(large, 48 * 1024 ** 2 + 1)
  expect(() => mediaFile(large)).toThrow(
    /'.*large\.png' has 48(\.0)? MiB; at most 48 MiB can be shown to a model/,
  )
})

test("a server gets the content of a file", () => {
  const data = Buffer.from("picture").toString("base64")
  expect(toMediaBody({ type: "image", path: cat, detail: "low" })).toEqual({
    type: "image_url",
    image_url: { url: `data:application/octet-stream;base64,${data}`, detail: "low" },
  })
  expect(toMediaBody({ type: "audio", path: sound })).toEqual({ type: "input_audio", input_audio: { data } })
})
