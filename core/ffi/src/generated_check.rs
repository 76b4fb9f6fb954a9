// generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
//! Fails to compile when a function of the ABI is missing or has another signature.

#[rustfmt::skip]
mod signatures {
    use crate::generated::*;

    const _: unsafe extern "C" fn(*mut CcVersion) -> i32 = crate::cc_version;
    const _: unsafe extern "C" fn(i32, *mut u8, u32, *mut u32) -> i32 = crate::cc_status_text;
    const _: unsafe extern "C" fn(*mut u8, u32, *mut u32) -> i32 = crate::cc_last_error;
    const _: unsafe extern "C" fn(*const CcNodeConfig, *mut u64) -> i32 = crate::cc_node_open;
    const _: unsafe extern "C" fn(u64) -> i32 = crate::cc_node_close;
    const _: unsafe extern "C" fn(u64, *mut u8, u32, *mut u32) -> i32 = crate::cc_node_address;
    const _: unsafe extern "C" fn(u64, *mut i64) -> i32 = crate::cc_node_wake_fd;
    const _: unsafe extern "C" fn(u64, u32) -> i32 = crate::cc_node_wake_frames;
    const _: unsafe extern "C" fn(u64, u64, *mut u64) -> i32 = crate::cc_node_drive;
    const _: unsafe extern "C" fn(u64, *mut u64) -> i32 = crate::cc_node_now;
    const _: unsafe extern "C" fn(u64, CcStr, u32) -> i32 = crate::cc_node_goaway;
    const _: unsafe extern "C" fn(u64, *mut CcEvent, u32, *mut u32) -> i32 = crate::cc_node_poll;
    const _: unsafe extern "C" fn(u64, *mut CcNodeStats) -> i32 = crate::cc_node_stats;
    const _: unsafe extern "C" fn(u64, u32, *mut CcNodeStats) -> i32 = crate::cc_node_shard_stats;
    const _: unsafe extern "C" fn(u64, *const CcLinkConfig, *mut u64) -> i32 = crate::cc_link_open;
    const _: unsafe extern "C" fn(u64, u32, CcStr) -> i32 = crate::cc_link_close;
    const _: unsafe extern "C" fn(u64, CcStr) -> i32 = crate::cc_link_token;
    const _: unsafe extern "C" fn(u64, CcStr) -> i32 = crate::cc_link_addresses;
    const _: unsafe extern "C" fn(u64, CcStr, CcStr) -> i32 = crate::cc_link_move;
    const _: unsafe extern "C" fn(u64, *mut CcLinkStats) -> i32 = crate::cc_link_stats;
    const _: unsafe extern "C" fn(u64, *const CcStamp) -> i32 = crate::cc_session_accept;
    const _: unsafe extern "C" fn(u64, u32, CcStr) -> i32 = crate::cc_session_refuse;
    const _: unsafe extern "C" fn(u64, u64, *const CcStamp) -> i32 = crate::cc_session_accept_request;
    const _: unsafe extern "C" fn(u64, u64, u32, CcStr) -> i32 = crate::cc_session_refuse_request;
    const _: unsafe extern "C" fn(u64, u32, CcStr) -> i32 = crate::cc_session_close;
    const _: unsafe extern "C" fn(u64, *const CcTrackConfig, *mut u64) -> i32 = crate::cc_publish;
    const _: unsafe extern "C" fn(u64) -> i32 = crate::cc_publish_close;
    const _: unsafe extern "C" fn(u64, *const CcRepeat) -> i32 = crate::cc_publish_repeat;
    const _: unsafe extern "C" fn(*const CcSend, u32, *mut u8) -> i32 = crate::cc_send;
    const _: unsafe extern "C" fn(u64, *mut CcTrackStats) -> i32 = crate::cc_track_stats;
    const _: unsafe extern "C" fn(u64, *const CcSubscribeConfig, *mut u64) -> i32 = crate::cc_subscribe;
    const _: unsafe extern "C" fn(u64) -> i32 = crate::cc_subscribe_close;
    const _: unsafe extern "C" fn(u64, u64) -> i32 = crate::cc_want_group;
    const _: unsafe extern "C" fn(u64, u64, *mut u8, u32, *mut u32) -> i32 = crate::cc_track_properties;
    const _: unsafe extern "C" fn(u64, *mut CcBatch) -> i32 = crate::cc_drain;
    const _: unsafe extern "C" fn(u64, *mut CcSubscriptionStats) -> i32 = crate::cc_subscription_stats;
    const _: unsafe extern "C" fn(*const CcOpusConfig, *mut u64) -> i32 = crate::cc_opus_encoder;
    const _: unsafe extern "C" fn(u64, *const i16, u32, *mut u8, u32, *mut u32) -> i32 = crate::cc_opus_encode;
    const _: unsafe extern "C" fn(u32, u32, *mut u64) -> i32 = crate::cc_opus_decoder;
    const _: unsafe extern "C" fn(u64, *const u8, u32, *mut i16, u32, *mut u32) -> i32 = crate::cc_opus_decode;
    const _: unsafe extern "C" fn(u64, *const u8, u32, *mut i16, u32, *mut u32) -> i32 = crate::cc_opus_recover;
    const _: unsafe extern "C" fn(u64) -> i32 = crate::cc_opus_close;
}
