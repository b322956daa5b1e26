// clip.cpp, and what its interface lacks.
#include "clip.cpp"

void xllm_clip_reserve(clip_ctx * clip, const clip_image_f32_batch & batch) {
    clip_model_loader::warmup(*clip, batch);
    size_t bytes = 0;
    for (const auto & [device, size] : clip->mem_compute) bytes += size;
    if (bytes == 0) throw std::runtime_error("no memory for the buffers of a picture");
}

// Lowers the most tokens of a picture, where the model takes pictures of any size.
void xllm_clip_cap_tokens(clip_ctx * clip, int32_t tokens) {
    clip_hparams & hparams = clip->model.hparams;
    const int64_t area = (int64_t) hparams.patch_size * hparams.patch_size * hparams.n_merge * hparams.n_merge;
    if (hparams.image_max_pixels <= 0 || tokens * area >= hparams.image_max_pixels) return;
    hparams.image_max_pixels = std::max<int64_t>(hparams.image_min_pixels, tokens * area);
}
