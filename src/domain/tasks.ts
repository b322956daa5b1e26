import type { GenerationEvent, GenerationRequest } from "./chat"
import type { ImageEvent, ImageRequest } from "./image"
import type { SpeechEvent, SpeechRequest } from "./speech"
import type { TranscriptionEvent, TranscriptionRequest } from "./transcription"

export type MediaRequest = SpeechRequest | TranscriptionRequest | ImageRequest

/** Anything that a worker can be asked for. */
export type WorkRequest = GenerationRequest | MediaRequest

export type MediaEvent = SpeechEvent | TranscriptionEvent | ImageEvent

/** Anything that a worker tells of a request. */
export type WorkEvent = GenerationEvent | MediaEvent
