import { describe, expect, test } from "bun:test"
import type { TtsDetails } from "../../../src/domain/model"
import { IMAGE_MODEL, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, jsonOf } from "../../support/http"

const KOKORO: TtsDetails = {
  ...VOICE_MODEL,
  name: "kokoro",
  family: "kokoro",
  speakers: ["af_heart", "ff_siwis", "me"],
  languages: ["en-us", "fr"],
}

function server() {
  const fake = fakeServer()
  fake.engine.mediaModels = [VOICE_MODEL, KOKORO, IMAGE_MODEL]
  return fake
}

describe("the list of voices", () => {
  test("has the speakers of every text-to-speech model, by what requests take", async () => {
    const body = await jsonOf(server().get("/v1/audio/voices"))
    expect(body).toEqual({
      object: "list",
      voices: [
        { id: "0", name: "joe", model: "joe", language: "en-us" },
        { id: "af_heart", name: "af_heart", model: "kokoro", language: "en-us" },
        { id: "ff_siwis", name: "ff_siwis", model: "kokoro", language: "fr" },
        { id: "me", name: "me", model: "kokoro", language: null },
      ],
    })
  })

  test("has those of one model where it is named", async () => {
    const body = await jsonOf(server().get("/v1/audio/voices?model=joe"))
    expect(body).toEqual({
      object: "list",
      voices: [{ id: "0", name: "joe", model: "joe", language: "en-us" }],
    })
  })

  test.each([
    ["brush", 400, "wrong_model_kind"],
    ["nobody", 404, "model_not_found"],
  ])("of %s is refused", async (model, status, code) => {
    expect(await errorOf(server().get(`/v1/audio/voices?model=${model}`))).toMatchObject({ status, code })
  })

  test("is empty without such models", async () => {
    expect(await jsonOf(fakeServer().get("/v1/audio/voices"))).toEqual({ object: "list", voices: [] })
  })
})
