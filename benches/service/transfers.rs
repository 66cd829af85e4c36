//! Transfers of binaries of 64 MiB. The benchmark does not buffer them: an upload repeats one block, and a
//! download is compared with it and discarded.

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
/// The default maximum size of a binary.
const SIZE_MIB: u8 = 64;
const SIZE: usize = SIZE_MIB as usize * MIB;
/// A prime, so that all chunks of the service begin differently.
const BLOCK: usize = 65_521;
/// Timeout of all transfers of a step.
const TIMEOUT: Duration = Duration::from_secs(120);
const NAME: &str = "recording";

/// Uploads `count` binaries concurrently, each to a new service; returns the ids, and MiB per second.
pub(crate) async fn upload_all(service: &Service, count: u8) -> Result<(Vec<String>, f64)> {
    let started = Instant::now();
    let all = (0..count).map(|_| upload(service));
    let ids = timeout(TIMEOUT, try_join_all(all)).await??;
    Ok((ids, rate(count, started)))
}

/// Downloads the binaries of all services concurrently; returns MiB per second.
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
    let initial = (SIZE, block);
    let blocks = stream::unfold(initial, async |(remaining, block)| {
        let next = block.slice(..BLOCK.min(remaining));
        let remaining = remaining - next.len();
        (!next.is_empty()).then_some((Ok::<_, io::Error>(next), (remaining, block)))
    });
    let part = Part::stream_with_length(Body::wrap_stream(blocks), u64::try_from(SIZE)?);
    let part = part.file_name("recording.wav").mime_str("audio/wav")?;
    let form = Form::new().part(NAME, part);
    let request = service.client.post(service.store_url()).multipart(form);
    id_of(request.send().await?).await
}

async fn download(service: &Service, id: &str) -> Result<()> {
    let url = service.url(&format!("{id}/storage/binary/{NAME}"));
    let mut response = service.client.get(url).send().await?.error_for_status()?;
    let (block, mut position) = (block(), 0);
    while let Some(mut bytes) = response.chunk().await? {
        while !bytes.is_empty() {
            let expected = block.slice(position % BLOCK..);
            let received = bytes.split_to(expected.len().min(bytes.len()));
            if !expected.starts_with(&received) {
                return Err(format!("a downloaded binary differs after byte {position}").into());
            }
            position += received.len();
        }
    }
    if position == SIZE {
        return Ok(());
    }
    Err(format!("a downloaded binary has {position} of {SIZE} bytes").into())
}

fn block() -> Bytes {
    // A 32-bit linear congruential generator: no repetition within the block.
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(BLOCK).collect()
}
