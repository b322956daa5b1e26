// mtmd.cpp, and what its C interface lacks.
#include "mtmd.cpp"

void xllm_clip_reserve(clip_ctx * clip, const clip_image_f32_batch & batch);
void xllm_clip_cap_tokens(clip_ctx * clip, int32_t tokens);

extern "C" {

// How many threads the next encodings use.
MTMD_API void mtmd_xllm_set_threads(mtmd_context * context, int32_t threads) {
    context->n_threads = threads;
}

// Lowers the most tokens of a picture, where the model takes pictures of any size.
MTMD_API void mtmd_xllm_cap_tokens(mtmd_context * context, int32_t tokens) {
    if (context->ctx_v) xllm_clip_cap_tokens(context->ctx_v, tokens);
}

// Allocates what encoding a chunk needs, without computing anything; the chunk may be a placeholder. 0 on success.
MTMD_API int32_t mtmd_xllm_reserve(mtmd_context * context, const mtmd_input_chunk * chunk) {
    try {
        if (chunk->tokens_image) xllm_clip_reserve(context->ctx_v, chunk->tokens_image->batch_f32);
        if (chunk->tokens_audio) xllm_clip_reserve(context->ctx_a, chunk->tokens_audio->batch_f32);
        return 0;
    } catch (const std::exception & e) {
        LOG_ERR("%s: error: %s\n", __func__, e.what());
        return 1;
    }
}

// out: bytes of weights and buffers in system memory, and on GPUs.
MTMD_API void mtmd_xllm_memory(const mtmd_context * context, uint64_t * out) {
    out[0] = out[1] = 0;
    for (const clip_ctx * clip : {context->ctx_v, context->ctx_a, context->ctx_gen_a}) {
        if (clip == nullptr) continue;
        for (const auto & [device, bytes] : clip_get_mem_usage(clip))
            out[ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ? 0 : 1] += bytes;
    }
}

}
