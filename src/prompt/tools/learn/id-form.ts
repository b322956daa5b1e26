import { MARK } from "./marked-text"
import { afterUser, calling, PROBE, type ProbeOptions, type RenderProbe, USER_PROBE } from "./probes"
import { ANY_ID, type IdForm, NINE_CHARACTERS } from "../syntax"

/** An id in OpenAI's form. */
const LONG_ID = "call_q7Zp3vK9xT1bN5mW8rYd2sLf"

/** Templates that want Mistral's ids refuse others. */
export function learnIdForm(render: RenderProbe, how: ProbeOptions, located: string): IdForm {
  const call = { id: LONG_ID, name: PROBE.functions[0], arguments: "{}" }
  const isTaken = afterUser(render([USER_PROBE, calling([call])], how))?.includes(call.name) === true
  if (!isTaken) return NINE_CHARACTERS
  const counted = MARK.name + ":" + MARK.indexFrom0
  if (!located.includes(MARK.id) && located.includes(`functions.${counted}`)) {
    return {
      type: "composed",
      marker: [
        { type: "text", text: "functions." },
        { type: "name" },
        { type: "text", text: ":" },
        { type: "index", first: 0 },
      ],
    }
  }
  return ANY_ID
}
