import { FFIType } from "bun:ffi"

/** The table of native functions: those of `shim.c`, and library exports called directly. */

/** Functions of `shim.c`. */
export const shimSymbols = {
  xllm_error: { args: [], returns: "cstring" },
  xllm_open: { args: ["cstring", "cstring", "cstring"], returns: "i32" },
  xllm_check: { args: [], returns: "i32" },
  xllm_log_to: { args: ["i32", "i32"], returns: "void" },
  xllm_backend_load: { args: ["cstring"], returns: "i32" },
  xllm_device_memory: { args: ["ptr", "ptr"], returns: "void" },
  xllm_device_address: { args: ["ptr"], returns: "cstring" },
  xllm_model_params: { args: [], returns: "ptr" },
  xllm_model_param: { args: ["ptr", "cstring", "f64"], returns: "i32" },
  xllm_context_params: { args: [], returns: "ptr" },
  xllm_context_param: { args: ["ptr", "cstring", "f64"], returns: "i32" },
  xllm_params_free: { args: ["ptr"], returns: "void" },
  xllm_model_load: { args: ["ptr", "cstring", "i32", "cstring", "i32", "ptr"], returns: "ptr" },
  xllm_context_new: { args: ["ptr", "ptr"], returns: "ptr" },
  xllm_context_begin: { args: ["ptr", "ptr"], returns: "ptr" },
  xllm_context_done: { args: ["ptr"], returns: "i32" },
  xllm_context_take: { args: ["ptr"], returns: "ptr" },
  xllm_context_abandon: { args: ["ptr"], returns: "void" },
  xllm_decode: { args: ["ptr", "i32", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  xllm_sampler_chain_new: { args: [], returns: "ptr" },
  xllm_threadpool_new: { args: ["i32", "i32"], returns: "ptr" },
  xllm_threadpool_free: { args: ["ptr"], returns: "void" },
  xllm_threadpool_attach: { args: ["ptr", "ptr", "ptr"], returns: "void" },
  xllm_threadpool_detach: { args: ["ptr"], returns: "void" },
} as const

/** Functions of libggml-base. */
export const ggmlBaseSymbols = {
  ggml_commit: { args: [], returns: "cstring" },
  ggml_backend_dev_name: { args: ["ptr"], returns: "cstring" },
  ggml_backend_dev_description: { args: ["ptr"], returns: "cstring" },
  ggml_backend_dev_type: { args: ["ptr"], returns: "i32" },
  ggml_backend_dev_backend_reg: { args: ["ptr"], returns: "ptr" },
  ggml_backend_reg_name: { args: ["ptr"], returns: "cstring" },
} as const

/** Functions of libggml. */
export const ggmlSymbols = {
  ggml_backend_load_all_from_path: { args: ["cstring"], returns: "void" },
  ggml_backend_dev_count: { args: [], returns: FFIType.u64_fast },
  ggml_backend_dev_get: { args: [FFIType.u64_fast], returns: "ptr" },
} as const

/** Functions of libllama that take no structs by value. */
export const llamaSymbols = {
  llama_version: { args: [], returns: "cstring" },
  llama_backend_init: { args: [], returns: "void" },
  // model
  llama_model_free: { args: ["ptr"], returns: "void" },
  llama_model_get_vocab: { args: ["ptr"], returns: "ptr" },
  llama_model_n_ctx_train: { args: ["ptr"], returns: "i32" },
  llama_model_n_embd: { args: ["ptr"], returns: "i32" },
  llama_model_n_layer: { args: ["ptr"], returns: "i32" },
  llama_model_n_swa: { args: ["ptr"], returns: "i32" },
  llama_model_rope_type: { args: ["ptr"], returns: "i32" },
  llama_model_rope_freq_scale_train: { args: ["ptr"], returns: "f32" },
  llama_model_size: { args: ["ptr"], returns: FFIType.u64_fast },
  llama_model_meta_val_str: { args: ["ptr", "cstring", "ptr", FFIType.u64_fast], returns: "i32" },
  llama_model_chat_template: { args: ["ptr", "ptr"], returns: "cstring" },
  llama_model_has_encoder: { args: ["ptr"], returns: "bool" },
  llama_model_has_decoder: { args: ["ptr"], returns: "bool" },
  llama_model_is_recurrent: { args: ["ptr"], returns: "bool" },
  llama_model_is_hybrid: { args: ["ptr"], returns: "bool" },
  llama_model_is_diffusion: { args: ["ptr"], returns: "bool" },
  // adapters
  llama_adapter_lora_init: { args: ["ptr", "cstring"], returns: "ptr" },
  llama_set_adapters_lora: { args: ["ptr", "ptr", FFIType.u64_fast, "ptr"], returns: "i32" },
  // vocabulary
  llama_vocab_type: { args: ["ptr"], returns: "i32" },
  llama_vocab_n_tokens: { args: ["ptr"], returns: "i32" },
  llama_vocab_is_eog: { args: ["ptr", "i32"], returns: "bool" },
  llama_vocab_is_control: { args: ["ptr", "i32"], returns: "bool" },
  llama_vocab_bos: { args: ["ptr"], returns: "i32" },
  llama_vocab_eos: { args: ["ptr"], returns: "i32" },
  llama_vocab_fim_pre: { args: ["ptr"], returns: "i32" },
  llama_vocab_fim_suf: { args: ["ptr"], returns: "i32" },
  llama_vocab_fim_mid: { args: ["ptr"], returns: "i32" },
  llama_vocab_fim_rep: { args: ["ptr"], returns: "i32" },
  llama_vocab_fim_sep: { args: ["ptr"], returns: "i32" },
  llama_vocab_get_add_bos: { args: ["ptr"], returns: "bool" },
  llama_tokenize: { args: ["ptr", "ptr", "i32", "ptr", "i32", "bool", "bool"], returns: "i32" },
  llama_detokenize: { args: ["ptr", "ptr", "i32", "ptr", "i32", "bool", "bool"], returns: "i32" },
  llama_token_to_piece: { args: ["ptr", "i32", "ptr", "i32", "i32", "bool"], returns: "i32" },
  // context
  llama_free: { args: ["ptr"], returns: "void" },
  llama_n_ctx: { args: ["ptr"], returns: "u32" },
  llama_n_ctx_seq: { args: ["ptr"], returns: "u32" },
  llama_set_n_threads: { args: ["ptr", "i32", "i32"], returns: "void" },
  llama_get_logits_ith: { args: ["ptr", "i32"], returns: "ptr" },
  llama_get_memory: { args: ["ptr"], returns: "ptr" },
  llama_memory_clear: { args: ["ptr", "bool"], returns: "void" },
  llama_memory_seq_rm: { args: ["ptr", "i32", "i32", "i32"], returns: "bool" },
  llama_memory_seq_cp: { args: ["ptr", "i32", "i32", "i32", "i32"], returns: "void" },
  llama_memory_seq_pos_min: { args: ["ptr", "i32"], returns: "i32" },
  llama_memory_seq_pos_max: { args: ["ptr", "i32"], returns: "i32" },
  llama_state_get_size: { args: ["ptr"], returns: FFIType.u64_fast },
  llama_state_get_data: { args: ["ptr", "ptr", FFIType.u64_fast], returns: FFIType.u64_fast },
  llama_state_set_data: { args: ["ptr", "ptr", FFIType.u64_fast], returns: FFIType.u64_fast },
  llama_state_seq_get_size_ext: { args: ["ptr", "i32", "u32"], returns: FFIType.u64_fast },
  llama_state_seq_get_data_ext: {
    args: ["ptr", "ptr", FFIType.u64_fast, "i32", "u32"],
    returns: FFIType.u64_fast,
  },
  llama_state_seq_set_data_ext: {
    args: ["ptr", "ptr", FFIType.u64_fast, "i32", "u32"],
    returns: FFIType.u64_fast,
  },
  // samplers
  llama_sampler_chain_add: { args: ["ptr", "ptr"], returns: "void" },
  llama_sampler_sample: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  llama_sampler_free: { args: ["ptr"], returns: "void" },
  llama_sampler_init_grammar: { args: ["ptr", "cstring", "cstring"], returns: "ptr" },
  llama_sampler_clone: { args: ["ptr"], returns: "ptr" },
  llama_sampler_apply: { args: ["ptr", "ptr"], returns: "void" },
  llama_sampler_accept: { args: ["ptr", "i32"], returns: "void" },
  llama_sampler_init_dist: { args: ["u32"], returns: "ptr" },
  llama_sampler_init_top_k: { args: ["i32"], returns: "ptr" },
  llama_sampler_init_top_p: { args: ["f32", FFIType.u64_fast], returns: "ptr" },
  llama_sampler_init_min_p: { args: ["f32", FFIType.u64_fast], returns: "ptr" },
  llama_sampler_init_typical: { args: ["f32", FFIType.u64_fast], returns: "ptr" },
  llama_sampler_init_temp: { args: ["f32"], returns: "ptr" },
  llama_sampler_init_temp_ext: { args: ["f32", "f32", "f32"], returns: "ptr" },
  llama_sampler_init_xtc: { args: ["f32", "f32", FFIType.u64_fast, "u32"], returns: "ptr" },
  llama_sampler_init_top_n_sigma: { args: ["f32"], returns: "ptr" },
  llama_sampler_init_infill: { args: ["ptr"], returns: "ptr" },
  llama_sampler_init_mirostat: { args: ["i32", "u32", "f32", "f32", "i32"], returns: "ptr" },
  llama_sampler_init_mirostat_v2: { args: ["u32", "f32", "f32"], returns: "ptr" },
} as const
