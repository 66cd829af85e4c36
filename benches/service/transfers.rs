//! Binaries of 64 MiB on their way in and out. Neither way are they held here: what is sent is one
//! block, over and over, and what comes is compared with it and dropped.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{future::try_join_all, stream};
use reqwest::{
    Body,
    multipart::{Form, Part},
};
use tokio::time::timeout;

use crate::{
    Result,
    servers::{Service, id_of},
};

const MIB: usize = 1024 * 1024;
/// What a binary may have by default.
const SIZE_MIB: u8 = 64;
const SIZE: usize = SIZE_MIB as usize * MIB;
/// A prime, so that no chunk of the service begins as another one does.
const BLOCK: usize = 65_521;
/// How long all transfers of a step may take.
const TIMEOUT: Duration = Duration::from_secs(120);
const NAME: &str = "recording";

/// Sends `count` at a time, each with a service that it makes; gives their ids, and MiB per second.
pub(crate) async fn upload_all(service: &Service, count: u8) -> Result<(Vec<String>, f64)> {
    let started = Instant::now();
    let all = (0..count).map(|_| upload(service));
    let ids = timeout(TIMEOUT, try_join_all(all)).await??;
    Ok((ids, rate(count, started)))
}

/// Fetches the binaries of all services at a time; gives MiB per second.
pub(crate) async fn download_all(service: &Service, ids: &[String]) -> Result<f64> {
    let started = Instant::now();
    let all = ids.iter().map(|id| download(service, id));
    timeout(TIMEOUT, try_join_all(all)).await??;
    Ok(rate(u8::try_from(ids.len())?, started))
}

fn rate(count: u8, started: Instant) -> f64 {
    f64::from(count) * f64::from(SIZE_MIB) / started.elapsed().as_secs_f64()
}

async fn upload(service: &Service) -> Result<String> {
    let block = block();
    let left = (SIZE, block);
    let blocks = stream::unfold(left, async |(left, block)| {
        let next = block.slice(..BLOCK.min(left));
        let left = left - next.len();
        (!next.is_empty()).then_some((Ok::<_, io::Error>(next), (left, block)))
    });
    let part = Part::stream_with_length(Body::wrap_stream(blocks), u64::try_from(SIZE)?);
    let part = part.file_name("recording.wav").mime_str("audio/wav")?;
    let form = Form::new().part(NAME, part);
    let request = service.client.post(service.store_url()).multipart(form);
    id_of(request.send().await?).await
}

async fn download(service: &Service, id: &str) -> Result<()> {
    let url = service.url(&format!("{id}/storage/binary/{NAME}"));
    let mut answer = service.client.get(url).send().await?.error_for_status()?;
    let (block, mut at) = (block(), 0);
    while let Some(mut bytes) = answer.chunk().await? {
        while !bytes.is_empty() {
            let expected = block.slice(at % BLOCK..);
            let now = bytes.split_to(expected.len().min(bytes.len()));
            if !expected.starts_with(&now) {
                return Err(format!("a binary came back changed after byte {at}").into());
            }
            at += now.len();
        }
    }
    if at == SIZE {
        return Ok(());
    }
    Err(format!("a binary of {SIZE} bytes came back with {at}").into())
}

fn block() -> Bytes {
    // Some generator of 32 bits: nothing repeats within the block.
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(BLOCK).collect()
}
