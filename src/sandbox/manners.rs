//! Refusals that the line makes up, in the words of the vendor whose server it is.

use serde_json::{Value, json};

use super::faults::Before;
use super::http::Response;
use super::rng::Rng;
use super::system::Vendor;

/// The refusal of an unlucky call; `None` where the vendor has no such thing.
pub fn refusal(vendor: Vendor, before: Before, rng: &mut Rng) -> Option<Response> {
    match before {
        Before::Error => {
            let status = *rng.pick(&[500, 502, 503, 504]);
            Some(if status == 500 { broken(vendor) } else { gateway(status) })
        }
        Before::TooMany => Some(too_many(vendor)),
        Before::ExpiredToken => Some(expired(vendor)),
        Before::Locked => locked(vendor),
    }
}

/// What a proxy in front of the service answers when it cannot reach it.
pub fn gateway(status: u16) -> Response {
    let reason = match status {
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Gateway Timeout",
    };
    Response {
        status,
        headers: vec![("content-type".into(), "text/html".into())],
        body: format!(
            "<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"
        )
        .into_bytes(),
    }
}

fn broken(vendor: Vendor) -> Response {
    match vendor {
        Vendor::HubSpot => hubspot(500, json!({"message": "internal error"})),
        Vendor::Salesforce => salesforce(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 1-1 (1)"),
    }
}

fn too_many(vendor: Vendor) -> Response {
    match vendor {
        Vendor::HubSpot => hubspot(
            429,
            json!({"message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
                   "policyName": "TEN_SECONDLY_ROLLING", "requestId": "0b1c2d3e4f"}),
        ),
        Vendor::Salesforce => salesforce(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    }
}

fn expired(vendor: Vendor) -> Response {
    match vendor {
        Vendor::HubSpot => hubspot(
            401,
            json!({"message": "The OAuth token used to make this call expired 75 second(s) ago.",
                   "category": "EXPIRED_AUTHENTICATION"}),
        ),
        Vendor::Salesforce => salesforce(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    }
}

fn locked(vendor: Vendor) -> Option<Response> {
    let message = "There are too many concurrent writes to this object. Try again in 2 seconds.";
    (vendor == Vendor::HubSpot).then(|| hubspot(423, json!({"message": message})))
}

fn hubspot(status: u16, mut body: Value) -> Response {
    body["status"] = json!("error");
    body["correlationId"] = json!("00000000-0000-4000-8000-000000000000");
    Response::json(status, &body)
}

fn salesforce(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!([{"message": message, "errorCode": code}]))
}
