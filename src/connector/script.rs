//! A transport for tests.

use super::BoxFuture;
use super::transport::{Answer, Lost, Request, Transport};
use crate::model::Millis;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A world that answers from a list and remembers what was asked.
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<(u16, String), Lost>>>,
    asked: Mutex<Vec<(String, String)>>,
    slept: Mutex<Vec<i64>>,
}

/// The script's time, by both clocks: 2026-03-01 12:00:00 UTC.
pub(crate) const NOW: i64 = 1_772_366_400_000;

impl Script {
    pub fn of(answers: Vec<Result<(u16, &str), Lost>>) -> Arc<Self> {
        let owned = answers.into_iter().map(|answer| answer.map(|(status, body)| (status, body.to_owned())));
        let answers = Mutex::new(owned.collect());
        Arc::new(Self { answers, asked: Mutex::default(), slept: Mutex::default() })
    }

    /// Method and path of each call.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }

    /// The body of one call.
    pub fn body(&self, index: usize) -> String {
        self.asked.lock().unwrap()[index].1.clone()
    }

    pub fn slept(&self) -> Vec<i64> {
        self.slept.lock().unwrap().clone()
    }
}

impl Transport for Script {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, Lost>> {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let line = format!("{} {}", request.method.as_str(), request.path_and_query);
        self.asked.lock().unwrap().push((line, body));
        let next = self.answers.lock().unwrap().pop_front().expect("one call more than the script has answers");
        Box::pin(std::future::ready(next.map(|(status, body)| Answer {
            status,
            headers: vec![("date".into(), "Sun, 01 Mar 2026 12:00:00 GMT".into())],
            body: body.into_bytes(),
            sent: self.now(),
            received: self.now(),
        })))
    }

    fn now(&self) -> Millis {
        Millis(NOW)
    }

    fn sleep(&self, ms: i64) -> BoxFuture<'_, ()> {
        self.slept.lock().unwrap().push(ms);
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> f64 {
        1.0
    }
}
