//! Memory of the process.

use std::fs;

use reqwest::Client;

use crate::support::{eventually, program::Program};

const STRINGS: usize = 60;
const MIB: usize = 1024 * 1024;

/// Resident memory in MiB.
fn resident(program: &Program) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() / 1024
}

#[tokio::test]
async fn an_idle_process_returns_freed_memory() {
    let mut program = Program::serve(&[("server.workers", "2")]);
    let base = format!("http://{}/genesys/1/service", program.address().await);
    let client = Client::new();
    let post = async |url: &str, body: String| {
        let post = client.post(url).body(body);
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        let response = post.send().await.unwrap();
        response.error_for_status().unwrap().bytes().await.unwrap()
    };
    post(&format!("{base}/store"), "a=1".to_owned()).await;
    let idle = resident(&program);
    let created = post(&format!("{base}/store"), "a=1".to_owned()).await;
    let created: serde_json::Value = serde_json::from_slice(&created).unwrap();
    let service = format!("{base}/{}", created["_id"].as_str().unwrap());
    for number in 0..STRINGS {
        let body = format!("key{number}={}", "x".repeat(MIB));
        post(&format!("{service}/storage"), body).await;
    }
    let read = client.get(format!("{service}/storage")).send();
    let read = read.await.unwrap().bytes().await.unwrap();
    assert!(read.len() > STRINGS * MIB);
    assert!(resident(&program) > idle + STRINGS);
    let deleted = client.delete(&service).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    // Without further requests.
    eventually("the memory is returned", async || {
        (resident(&program) < idle + 24).then_some(())
    })
    .await;
}
