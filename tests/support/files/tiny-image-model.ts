import { type SparseTensor, writeSafetensors } from "./safetensors-writer"

type Values = NonNullable<SparseTensor["values"]>

/** Words that the model knows, by their ids in CLIP's vocabulary. All other words have no effect. */
const WORDS = { cat: 2368, dog: 1929 }

/** Channels that carry a signal; all others are zero. */
const SIGNALS = 4
const UNET_CHANNELS = 320
const TIME_CHANNELS = 1280
const TEXT_CHANNELS = 768
const MULTIPLIERS = [1, 2, 4, 4]

/**
 * Writes a Stable Diffusion 1.5 checkpoint with all its tensors in their real shapes: 2.1 GB, of which only some
 * hundred KB take disk space. Nearly all weights are zero. The few others pass on the noise and the input image's
 * colours, and let the words "cat" and "dog" steer the noise differently. So its images depend on the seed, prompt,
 * steps, guidance and input image, as with real models, but show nothing.
 */
export function writeTinyImageModel(path: string, metadata: Readonly<Record<string, string>> = {}): void {
  writeSafetensors(path, [...unet(), ...textEncoder(), ...decoder(), ...encoder()], metadata)
}

/** A LoRA that changes how the text steers the noise of {@link writeTinyImageModel}'s checkpoint. */
export function writeTinyImageModelLora(path: string): void {
  const target = "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_v"
  writeSafetensors(path, [
    // Swaps the effects of "cat" and "dog".
    {
      name: `${target}.lora_down.weight`,
      shape: [2, TEXT_CHANNELS],
      values: [
        [0, 1],
        [TEXT_CHANNELS + 1, 1],
      ],
    },
    {
      name: `${target}.lora_up.weight`,
      shape: [UNET_CHANNELS, 2],
      values: [
        [2, 1],
        [1, 1],
      ],
    },
    { name: `${target}.alpha`, shape: [1], values: [[0, 2]] },
  ])
}

function linear(name: string, outputs: number, inputs: number, values: Values = []): SparseTensor[] {
  return [{ name: `${name}.weight`, shape: [outputs, inputs], values }, bias(name, outputs)]
}

/** `weights`: of the first channels. */
function norm(name: string, channels: number, weights: readonly number[] = []): SparseTensor[] {
  const values = weights.map((weight, channel) => [channel, weight] as const)
  return [{ name: `${name}.weight`, shape: [channels], values }, bias(name, channels)]
}

/** `gain`: the factor from the first input channels to the first output channels. */
function conv(name: string, outputs: number, inputs: number, kernel: number, gain = 0): SparseTensor[] {
  const taps = kernel * kernel
  const centre = (taps - 1) / 2
  const channels = gain === 0 ? 0 : Math.min(SIGNALS, outputs, inputs)
  const values = signals(channels, (channel) => [(channel * inputs + channel) * taps + centre, gain])
  return [{ name: `${name}.weight`, shape: [outputs, inputs, kernel, kernel], values }, bias(name, outputs)]
}

function bias(name: string, outputs: number): SparseTensor {
  return { name: `${name}.bias`, shape: [outputs] }
}

function signals(count: number, entry: (channel: number) => readonly [index: number, value: number]): Values {
  return Array.from({ length: count }, (_, channel) => entry(channel))
}

/** Passes on the first channels one to one. */
function identity(inputs: number): Values {
  return signals(SIGNALS, (channel) => [channel * inputs + channel, 1])
}

const UNET = "model.diffusion_model"

function unet(): SparseTensor[] {
  const tensors = [
    ...linear(`${UNET}.time_embed.0`, TIME_CHANNELS, UNET_CHANNELS),
    ...linear(`${UNET}.time_embed.2`, TIME_CHANNELS, TIME_CHANNELS),
    ...conv(`${UNET}.input_blocks.0.0`, UNET_CHANNELS, 4, 3),
  ]
  const skips = [UNET_CHANNELS]
  let channels = UNET_CHANNELS
  let block = 1
  for (const [level, multiplier] of MULTIPLIERS.entries()) {
    for (let index = 0; index < 2; index++, block++) {
      tensors.push(...unetResidual(`${UNET}.input_blocks.${block}.0`, channels, multiplier * UNET_CHANNELS))
      channels = multiplier * UNET_CHANNELS
      if (level < 3) tensors.push(...transformer(`${UNET}.input_blocks.${block}.1`, channels))
      skips.push(channels)
    }
    if (level === 3) continue
    tensors.push(...conv(`${UNET}.input_blocks.${block++}.0.op`, channels, channels, 3))
    skips.push(channels)
  }
  tensors.push(
    ...unetResidual(`${UNET}.middle_block.0`, channels, channels),
    ...transformer(`${UNET}.middle_block.1`, channels),
    ...unetResidual(`${UNET}.middle_block.2`, channels, channels),
  )
  block = 0
  for (const [level, multiplier] of [...MULTIPLIERS.entries()].reverse()) {
    for (let index = 0; index < 3; index++, block++) {
      const name = `${UNET}.output_blocks.${block}`
      const outputs = multiplier * UNET_CHANNELS
      tensors.push(...unetResidual(`${name}.0`, channels + (skips.pop() ?? 0), outputs))
      channels = outputs
      // Only the last one lets the text through.
      if (level < 3) tensors.push(...transformer(`${name}.1`, channels, block === 11))
      if (level > 0 && index === 2)
        tensors.push(...conv(`${name}.${level < 3 ? 2 : 1}.conv`, channels, channels, 3))
    }
  }
  return [
    ...tensors,
    ...norm(`${UNET}.out.0`, UNET_CHANNELS, [1, 1, 1, 1]),
    ...conv(`${UNET}.out.2`, 4, UNET_CHANNELS, 3, 0.2),
  ]
}

function unetResidual(name: string, inputs: number, outputs: number): SparseTensor[] {
  return [
    ...norm(`${name}.in_layers.0`, inputs),
    ...conv(`${name}.in_layers.2`, outputs, inputs, 3),
    ...linear(`${name}.emb_layers.1`, outputs, TIME_CHANNELS),
    ...norm(`${name}.out_layers.0`, outputs),
    ...conv(`${name}.out_layers.3`, outputs, outputs, 3),
    ...(inputs === outputs ? [] : conv(`${name}.skip_connection`, outputs, inputs, 1)),
  ]
}

function transformer(name: string, channels: number, passesText = false): SparseTensor[] {
  const block = `${name}.transformer_blocks.0`
  const attention = (which: string, inputs: number, values: (columns: number) => Values): SparseTensor[] => [
    { name: `${block}.${which}.to_q.weight`, shape: [channels, channels] },
    { name: `${block}.${which}.to_k.weight`, shape: [channels, inputs] },
    { name: `${block}.${which}.to_v.weight`, shape: [channels, inputs], values: values(inputs) },
    ...linear(`${block}.${which}.to_out.0`, channels, channels, values(channels)),
  ]
  return [
    ...norm(`${name}.norm`, channels),
    ...conv(`${name}.proj_in`, channels, channels, 1),
    ...attention("attn1", channels, () => []),
    ...attention("attn2", TEXT_CHANNELS, passesText ? identity : () => []),
    ...["norm1", "norm2", "norm3"].flatMap((each) => norm(`${block}.${each}`, channels)),
    ...linear(`${block}.ff.net.0.proj`, channels * 8, channels),
    ...linear(`${block}.ff.net.2`, channels, channels * 4),
    ...conv(`${name}.proj_out`, channels, channels, 1, passesText ? 1 : 0),
  ]
}

function textEncoder(): SparseTensor[] {
  const name = "cond_stage_model.transformer.text_model"
  const words = Object.values(WORDS).map((word, channel) => [word * TEXT_CHANNELS + channel, 1] as const)
  const layers = Array.from({ length: 12 }, (_, layer) => `${name}.encoder.layers.${layer}`)
  return [
    { name: `${name}.embeddings.token_embedding.weight`, shape: [49408, TEXT_CHANNELS], values: words },
    { name: `${name}.embeddings.position_embedding.weight`, shape: [77, TEXT_CHANNELS] },
    ...layers.flatMap((layer) => [
      ...["q_proj", "k_proj", "v_proj", "out_proj"].flatMap((each) =>
        linear(`${layer}.self_attn.${each}`, TEXT_CHANNELS, TEXT_CHANNELS),
      ),
      ...norm(`${layer}.layer_norm1`, TEXT_CHANNELS),
      ...norm(`${layer}.layer_norm2`, TEXT_CHANNELS),
      ...linear(`${layer}.mlp.fc1`, TEXT_CHANNELS * 4, TEXT_CHANNELS),
      ...linear(`${layer}.mlp.fc2`, TEXT_CHANNELS, TEXT_CHANNELS * 4),
    ]),
    ...norm(`${name}.final_layer_norm`, TEXT_CHANNELS, [1, 1, 1, 1]),
  ]
}

const VAE = "first_stage_model"

/** From 4 channels to colours, 8 times as wide and high. */
function decoder(): SparseTensor[] {
  const name = `${VAE}.decoder`
  const tensors = [
    ...conv(`${VAE}.post_quant_conv`, 4, 4, 1, 1),
    ...conv(`${name}.conv_in`, 512, 4, 3, 1),
    ...middle(name),
  ]
  let channels = 512
  for (const level of [3, 2, 1, 0]) {
    const outputs = 128 * (MULTIPLIERS[level] ?? 1)
    for (let index = 0; index < 3; index++) {
      tensors.push(...vaeResidual(`${name}.up.${level}.block.${index}`, channels, outputs))
      channels = outputs
    }
    if (level > 0) tensors.push(...conv(`${name}.up.${level}.upsample.conv`, channels, channels, 3, 1))
  }
  return [
    ...tensors,
    ...norm(`${name}.norm_out`, 128, [1, 1, 1, 1]),
    ...conv(`${name}.conv_out`, 3, 128, 3, 0.7),
  ]
}

/** The inverse; the second half of its 8 channels is the log variance of the first. */
function encoder(): SparseTensor[] {
  const name = `${VAE}.encoder`
  const tensors = conv(`${name}.conv_in`, 128, 3, 3, 1)
  let channels = 128
  for (const [level, multiplier] of MULTIPLIERS.entries()) {
    const outputs = 128 * multiplier
    for (let index = 0; index < 2; index++) {
      tensors.push(...vaeResidual(`${name}.down.${level}.block.${index}`, channels, outputs))
      channels = outputs
    }
    if (level < 3) tensors.push(...conv(`${name}.down.${level}.downsample.conv`, channels, channels, 3, 1))
  }
  return [
    ...tensors,
    ...middle(name),
    ...norm(`${name}.norm_out`, 512, [1, 1, 1, 1]),
    ...conv(`${name}.conv_out`, 8, 512, 3, 4),
    ...conv(`${VAE}.quant_conv`, 8, 8, 1, 1),
  ]
}

function middle(name: string): SparseTensor[] {
  return [
    ...vaeResidual(`${name}.mid.block_1`, 512, 512),
    ...norm(`${name}.mid.attn_1.norm`, 512),
    ...["q", "k", "v", "proj_out"].flatMap((each) => conv(`${name}.mid.attn_1.${each}`, 512, 512, 1)),
    ...vaeResidual(`${name}.mid.block_2`, 512, 512),
  ]
}

function vaeResidual(name: string, inputs: number, outputs: number): SparseTensor[] {
  return [
    ...norm(`${name}.norm1`, inputs),
    ...conv(`${name}.conv1`, outputs, inputs, 3),
    ...norm(`${name}.norm2`, outputs),
    ...conv(`${name}.conv2`, outputs, outputs, 3),
    ...(inputs === outputs ? [] : conv(`${name}.nin_shortcut`, outputs, inputs, 1, 1)),
  ]
}
