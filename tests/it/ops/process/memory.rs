//! Memory of the process.

use std::fs;

use reqwest::Client;

use crate::support::{RawConnection, disposition, eventually, program::Program};

const STRINGS: usize = 60;
const MIB: usize = 1024 * 1024;
/// Lengths of strings. The buffers in which they are collected have many sizes.
const LENGTHS: [usize; 5] = [3_000, 20_000, 100_000, 300_000, 700_000];

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

#[tokio::test]
async fn idle_workers_return_the_memory_of_unfinished_uploads() {
    let mut program = Program::serve(&[("server.workers", "2")]);
    let address = program.address().await;
    let head = "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\
                Content-Type: multipart/form-data; boundary=b\r\n\r\n";
    let parts = LENGTHS.iter().map(|length| {
        let name = disposition(&format!("key{length}"));
        format!("--b\r\n{name}\r\n\r\n{}\r\n", "x".repeat(*length))
    });
    let upload = [head.to_owned(), parts.collect()].concat();
    RawConnection::connect_to(address)
        .await
        .request("GET", "/livez")
        .await;
    let idle = resident(&program);
    let mut uploads = Vec::new();
    for _ in 0..160 {
        let mut connection = RawConnection::connect_to(address).await;
        connection.try_send(&upload).await;
        uploads.push(connection);
    }
    eventually("the uploads use memory", async || {
        (resident(&program) > idle + 32).then_some(())
    })
    .await;
    drop(uploads);
    // Without further requests.
    eventually("the memory is returned", async || {
        (resident(&program) < idle + 12).then_some(())
    })
    .await;
}
