import {
  type FieldTable,
  ignored,
  refused,
  refusedUnless,
  refusedUnlessEmpty,
  taken,
} from "../../read/field-table"
import { OF_EVERY_REQUEST } from "../request-fields"

/** POST /v1/images/generations, /v1/images/edits and /v1/images/variations */
export const IMAGE_FIELDS: FieldTable = {
  ...OF_EVERY_REQUEST,
  image: taken,
  mask: taken,
  n: taken,
  output_compression: taken,
  output_format: taken,
  partial_images: taken,
  prompt: taken,
  response_format: taken,
  size: taken,
  stream: taken,
  moderation: ignored,
  // These values request our default behaviour; others would change the image and are not supported.
  background: refusedUnless(["auto", "opaque"]),
  input_fidelity: refusedUnless(["low"]),
  quality: refusedUnless(["auto", "standard", "medium"], "; steps and cfg_scale set the quality"),
  style: refusedUnless(["vivid"]),
  // Other servers with Stable Diffusion.
  cfg_scale: taken,
  negative_prompt: taken,
  sampler: taken,
  scheduler: taken,
  seed: taken,
  steps: taken,
  strength: taken,
  height: refused("; size has both sides"),
  width: refused("; size has both sides"),
  // SGLang and vLLM.
  num_inference_steps: taken,
  enable_teacache: ignored,
  generator_device: ignored,
  rollout_sde_type: ignored,
  diffusers_kwargs: refusedUnlessEmpty(),
  guidance_scale: refused("; cfg_scale is the scale of classifier-free guidance"),
  output_quality: refusedUnless(["default"]),
  rollout: refused(),
  true_cfg_scale: refused("; cfg_scale is the scale of classifier-free guidance"),
}
