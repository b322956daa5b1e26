/**
 * The header of a sequence's state, in llama.cpp's format: magic, sequence, number of streams (the shares of a split
 * cache), then for each stream a number of cells and, where that is not 0, the cells. A sequence is in one stream. Only
 * the header ties a state to a layout; the rest is the same in all. Valid for memories of one kind: those with sliding
 * windows or recurrent states have several such blocks, or others.
 */
const STREAMS_AT = 8
const FIRST_AT = 12
const COUNT_BYTES = 4

/** The state for a cache that is shared by all sequences. */
export function forOneStream(state: Uint8Array): Uint8Array {
  return forStreams(state, 1, 0)
}

/** The state for a cache of that many streams, in one of which the sequence is. */
export function forStreams(state: Uint8Array, streams: number, stream: number): Uint8Array {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength)
  const present = view.getUint32(STREAMS_AT, true)
  if (present === streams && streams === 1) return state
  let before = 0
  while (before < present && view.getUint32(FIRST_AT + before * COUNT_BYTES, true) === 0) before++
  // A state without cells has nothing that could be moved.
  if (before === present) return state
  const start = FIRST_AT + before * COUNT_BYTES
  const end = state.length - (present - before - 1) * COUNT_BYTES
  const moved = Buffer.alloc(FIRST_AT + (streams - 1) * COUNT_BYTES + end - start)
  moved.set(state.subarray(0, STREAMS_AT))
  moved.writeUInt32LE(streams, STREAMS_AT)
  moved.set(state.subarray(start, end), FIRST_AT + stream * COUNT_BYTES)
  return moved
}
